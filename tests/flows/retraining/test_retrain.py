"""Retraining for real, on a tiny budget: what is kept, what is promoted, what is not done twice.

Whether a challenger deserves promotion is judged in `training`; here the verdict is given, so that
what follows from it can be seen without minutes of training.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import pytest
from mlflow import MlflowClient

import flows.retrain
import flows.training_plan
from flows.desk import Desk, open_desk
from flows.errors import PromoteConflictError
from flows.journal import lease
from flows.monitor import monitor
from flows.retrain import retrain
from flows.settings.settings import load_settings
from flows.steps import quietly
from monitors.records import Action
from tests.flows.conftest import HANDBOOK, Place
from training.fitting.speed import Speed
from training.weighing import Choice, Verdict

pytestmark = pytest.mark.slow

TINY = "[kb.docs.training]\nbudget_tokens = 1600\nholdout_text_rows = 2\nholdout_answer_rows = 2\n"


def killed(*_: object, **__: object) -> Never:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose documents moved, with a check that was killed right after its training."""
    folder = tmp_path_factory.mktemp("trained") / "place"
    shutil.copytree(first_release, folder)
    with (folder / "driftline.toml").open("a") as settings:
        settings.write(TINY)
    for topic in ("devices", "energy", "api"):
        shutil.copytree(HANDBOOK / topic, folder / "docs" / topic)
    with (
        open_desk(load_settings(folder / "driftline.toml"), "docs") as desk,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(flows.retrain, "score", killed)
        # Measured once for all: what a plan says is not what these tests are about.
        patched.setattr(flows.training_plan, "measure_speed", known_speed)
        with pytest.raises(KeyboardInterrupt):
            monitor(desk, quietly)
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(trained, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


@pytest.fixture(autouse=True)
def _nothing_is_trained_twice(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the killed run trained is taken up by every later one."""
    assert trained.exists()
    monkeypatch.setattr(flows.retrain, "train", killed)
    monkeypatch.setattr(flows.training_plan, "measure_speed", known_speed)


def known_speed(*_: object, **__: object) -> Speed:
    return Speed(400.0, 300.0, 900.0, 0.1, 2.0, "a machine")


def judge_says(monkeypatch: pytest.MonkeyPatch, *, promote: bool) -> None:
    choice = Choice(0, Verdict(promote, "better" if promote else "worse"))
    monkeypatch.setattr(flows.retrain, "choose", lambda *_, **__: choice)


def version_of(desk: Desk, alias: str) -> Any:
    client = MlflowClient(desk.settings.tracking_uri)
    return client.get_model_version_by_alias(desk.model_name, alias)


def test_a_promoted_challenger_answers_with_the_snapshot_that_answers_now(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=True)
    with monkeypatch.context() as patched:  # killed between the verdict and the promotion
        patched.setattr(flows.retrain, "_promote", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(desk, quietly)
    assert [entry["kind"] for entry in place.history()] == ["first", "refresh"]

    outcome = retrain(desk, quietly)
    calm = monitor(desk, quietly).check

    assert not outcome.is_new
    _, refreshed, promoted = place.history()
    assert (promoted["kind"], promoted["reason"]) == ("promotion", "better")
    assert promoted["snapshot"] == refreshed["snapshot"] == "docs@3"
    assert promoted["model_version"] == outcome.version == 2
    assert int(version_of(desk, "champion").version) == 2
    assert (calm.report.reference, calm.decision.action) == ("docs@3", Action.NONE)
    asked = place.run("ask", "docs", "How long is the grace period?", "--json").json
    assert asked["release"] == promoted["release"]
    assert asked["answer"]
    assert {hit["uri"] for hit in asked["hits"]} >= {c["uri"] for c in asked["citations"]}


def test_a_rejected_challenger_is_kept_with_its_reason_and_not_judged_again(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=False)

    checked = monitor(desk, quietly)
    again = retrain(desk, quietly)
    later = monitor(desk, quietly).check.decision

    assert checked.retraining is not None
    assert checked.retraining.is_new
    assert not again.is_new
    assert again.version == checked.retraining.version
    assert [entry["kind"] for entry in place.history()] == ["first", "refresh"]
    assert int(version_of(desk, "champion").version) == 1
    challenger = version_of(desk, "challenger")
    assert challenger.tags["driftline.snapshot"] == "docs@3"
    assert challenger.tags["driftline.requested_by"] == checked.run_id
    assert "worse" in challenger.description
    assert later.action is Action.WATCH
    assert "version 2 was not promoted (worse)" in later.reason
    with pytest.raises(KeyboardInterrupt):  # the stand-in for a training: force trains again
        retrain(desk, quietly, force=True)


def test_a_training_run_is_a_child_of_its_check_and_a_killed_one_is_marked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=False)

    checked = monitor(desk, quietly)

    client = MlflowClient(desk.settings.tracking_uri)
    done = client.get_run(version_of(desk, "challenger").tags["driftline.run_id"])
    assert done.data.tags["mlflow.parentRunId"] == checked.run_id
    assert done.data.params["current"] == "docs@3"
    assert {a.path for a in client.list_artifacts(done.info.run_id)} >= {
        "model",
        "examples",
        "answers.json",
        "measures.json",
        "weighing.png",
    }
    (dataset,) = done.inputs.dataset_inputs
    assert dataset.dataset.name == "docs@2..docs@3"
    wanted = "tags.`driftline.role` = 'training'"
    before = client.search_runs([done.info.experiment_id], wanted)[-1]
    assert before.info.status == "FAILED"
    assert len(client.get_metric_history(before.info.run_id, "train/loss")) >= 2


def test_a_champion_that_changed_meanwhile_is_not_replaced(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    serving = desk.release().release

    def overtaken(*_: object, **__: object) -> Choice:
        """Another promotion lands while this challenger is being weighed."""
        with lease.hold(desk.journal, "docs") as fence:
            desk.journal.publish(
                replace(serving, model_version=7),
                kind="manual",
                reason="",
                time=desk.now,
                fence=fence,
                expected_version=1,
            )
        return Choice(0, Verdict(promote=True, reason="better"))

    monkeypatch.setattr(flows.retrain, "choose", overtaken)

    with pytest.raises(PromoteConflictError, match="is version 7"):
        retrain(desk, quietly)

    assert [entry["kind"] for entry in place.history()] == ["first", "refresh", "manual"]


def test_without_a_release_there_is_nothing_to_train_on(place: Place):
    (place.folder / "none").mkdir()
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write('[kb.none.source]\npath = "none"\n')

    done = place.run("retrain", "none", "--json")

    assert (done.status, done.json["error"]["code"]) == (1, "NO_RELEASE")
    assert "driftline refresh none" in done.err
