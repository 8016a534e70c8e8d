"""A run in Prefect waits for a person: suspended with the evidence, resumed, promoted or refused.

The server is real. A worker's part is played here: what it does is start the run again.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.flow_runs import resume_flow_run

import flows.training_deployments
from flows.desk import Desk
from flows.promoting.evidence import DIGITS, evidence_of
from flows.promoting.promotions import attempts
from flows.records import RetrainOutcome
from tests.flows.challengers import alias_of, build, judge, opened, promoted
from training.weighing import Verdict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def challenged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("waiting") / "place", challengers=2)


@pytest.fixture(scope="module")
def server(prefect_server: None) -> None:
    deployment: Any = flows.training_deployments.retrain.to_deployment("retrain")
    deployment.apply()


@dataclass
class Trainer:
    """Stands in for a retraining in the mode `approve`; `trained` is what it was asked for."""

    trained: list[str | None] = field(default_factory=list)

    def __call__(self, desk: Desk, *_: object, snapshot: str | None, **__: object) -> Any:
        self.trained.append(snapshot)
        waiting = evidence_of(desk, 2).digest
        return RetrainOutcome(2, Verdict(True, "better"), None, is_new=True, waiting=waiting)


@dataclass(frozen=True)
class Waiting:
    """A run of the deployment, started as often as its worker would."""

    run_id: UUID
    folder: Path
    trainer: Trainer

    def start(self) -> Any:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(self.run_id)
        retrain: Any = flows.training_deployments.retrain
        try:
            return run_flow(
                retrain,
                flow_run=run,
                parameters={"kb": "docs"},
                return_type="state",
            )
        except Pause as suspended:  # ends the process of a real worker
            return suspended.state

    def resume(self, evidence: str) -> Any:
        resume_flow_run(self.run_id, run_input={"evidence": evidence, "by": "Ada"})
        return self.start()

    def inputs(self) -> list[str]:
        with get_client(sync_client=True) as client:
            found = client.filter_flow_run_input(self.run_id, "suspended", 100, set())
        return [str(each.value) for each in found if each.key.endswith("-description")]


@pytest.fixture
def waiting(
    challenged: Path, server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Waiting:
    shutil.copytree(challenged, tmp_path / "place")
    monkeypatch.setenv("DRIFTLINE_CONFIG", str(tmp_path / "place" / "driftline.toml"))
    trainer = Trainer()
    monkeypatch.setattr(flows.training_deployments, "train_challenger", trainer)
    run: Any = run_deployment("retrain/retrain", parameters={"kb": "docs"}, timeout=0)
    return Waiting(run.id, tmp_path / "place", trainer)


def test_a_run_waits_with_the_evidence_and_promotes_when_it_is_approved(waiting: Waiting):
    suspended = waiting.start()
    with opened(waiting.folder) as desk:
        shown = evidence_of(desk, 2)
        assert desk.release().release.model_version == 1
    described = waiting.inputs()

    resumed = waiting.resume(shown.digest[:DIGITS])

    assert suspended.name == "Suspended"
    assert any(shown.digest[:DIGITS] in text for text in described)
    assert resumed.is_completed()
    assert waiting.trainer.trained == [None]  # what was done before was not done again
    with opened(waiting.folder) as desk:
        assert desk.release().release.model_version == alias_of(desk) == 2
        [attempt] = attempts(desk.journal, "docs")
        assert (attempt.actor, attempt.evidence) == ("person Ada", shown.digest)


def test_another_digest_is_refused_and_the_champion_stays(waiting: Waiting):
    waiting.start()

    resumed = waiting.resume("0" * DIGITS)

    assert resumed.is_failed()
    assert "is not the evidence on version 2" in str(resumed.message)
    with opened(waiting.folder) as desk:
        assert desk.release().release.model_version == alias_of(desk) == 1
        assert attempts(desk.journal, "docs")[-1].outcome.value == "refused"


def test_evidence_that_changed_meanwhile_is_shown_anew(waiting: Waiting):
    waiting.start()
    with opened(waiting.folder) as desk:
        seen = evidence_of(desk, 2).digest
        judge(desk, desk.registry.version(desk.model_name, 2), reason="old text undecided")
        now = evidence_of(desk, 2).digest

    again = waiting.resume(seen[:DIGITS])
    described = waiting.inputs()
    promoted_at_last = waiting.resume(now[:DIGITS])

    assert again.name == "Suspended"
    assert any(now[:DIGITS] in text for text in described)
    assert promoted_at_last.is_completed()
    with opened(waiting.folder) as desk:
        assert desk.release().release.model_version == 2


def test_what_was_promoted_elsewhere_meanwhile_is_left_alone(waiting: Waiting):
    waiting.start()
    with opened(waiting.folder) as desk:
        seen = evidence_of(desk, 2).digest
        promoted(desk, 2, expected=1)

    resumed = waiting.resume(seen[:DIGITS])

    assert resumed.is_completed()
    with opened(waiting.folder) as desk:
        assert len(attempts(desk.journal, "docs")) == 1
