"""Retraining for real, on a tiny budget: what is kept, what is promoted, what is not done twice.

Whether a challenger deserves promotion is judged in `training`; here the verdict is given, so that
what follows from it can be seen without minutes of training.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

import pytest
from mlflow import MlflowClient

import flows.retrain
from flows.desk import Desk
from flows.errors import PromoteConflictError
from flows.monitor import monitor
from flows.refresh import refresh
from flows.retrain import retrain
from flows.steps import quietly
from monitors.records import Action
from tests.flows.conftest import HANDBOOK, Place
from training.records import Verdict

pytestmark = pytest.mark.slow

TINY = "[kb.docs.training]\nbudget_tokens = 800\nholdout_text_rows = 2\nholdout_answer_rows = 2\n"


@pytest.fixture
def place(
    first_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Place]:
    """A knowledge base whose documents moved after its first release, and were refreshed."""
    shutil.copytree(first_release, tmp_path / "place")
    place = Place(tmp_path / "place", capsys)
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write(TINY)
    for folder in ("devices", "energy", "api"):
        shutil.copytree(HANDBOOK / folder, place.docs / folder)
    with place.desk() as desk:
        refresh(desk, quietly)
    yield place


def judge_says(monkeypatch: pytest.MonkeyPatch, *, promote: bool) -> None:
    verdict = Verdict(promote, "better" if promote else "worse")
    monkeypatch.setattr(flows.retrain, "judge", lambda *_, **__: verdict)


def version_of(desk: Desk, alias: str) -> Any:
    client = MlflowClient(desk.settings.tracking_uri)
    return client.get_model_version_by_alias(desk.model_name, alias)


def test_a_promoted_challenger_answers_with_the_snapshot_that_answers_now(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=True)

    outcome = retrain(desk, quietly, requested_by="")
    calm = monitor(desk, quietly).check

    *_, refreshed, promoted = place.history()
    assert promoted["kind"] == "promotion"
    assert promoted["reason"] == "better"
    assert promoted["snapshot"] == refreshed["snapshot"] == "docs@2"
    assert promoted["model_version"] == outcome.version == 2
    assert int(version_of(desk, "champion").version) == 2
    assert (calm.report.reference, calm.decision.action) == ("docs@2", Action.NONE)
    asked = place.run("ask", "docs", "How long is the grace period?", "--json").json
    assert asked["release"] == promoted["release"]
    assert {hit["uri"] for hit in asked["hits"]} >= {c["uri"] for c in asked["citations"]}


def test_a_rejected_challenger_is_kept_with_its_reason_and_not_trained_again(
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
    assert challenger.tags["driftline.snapshot"] == "docs@2"
    assert challenger.tags["driftline.requested_by"] == checked.run_id
    assert "worse" in challenger.description
    assert later.action is Action.WATCH
    assert "version 2 was not promoted (worse)" in later.reason


def test_a_training_run_is_a_child_of_the_check_that_asked_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=False)

    checked = monitor(desk, quietly)

    client = MlflowClient(desk.settings.tracking_uri)
    challenger = version_of(desk, "challenger")
    training = client.get_run(challenger.tags["driftline.run_id"])
    assert training.data.tags["mlflow.parentRunId"] == checked.run_id
    losses = client.get_metric_history(training.info.run_id, "train/loss")
    assert len(losses) >= 2
    assert training.data.params["current"] == "docs@2"
    assert {a.path for a in client.list_artifacts(training.info.run_id)} >= {"adapter"}


def test_a_run_that_was_killed_after_training_goes_on_where_it_was(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=True)

    def killed(*_: object, **__: object) -> Never:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(flows.retrain, "score", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(desk, quietly)
    with monkeypatch.context() as patched:
        patched.setattr(flows.retrain, "finetune", killed)  # it must not be needed again
        patched.setattr(flows.retrain, "_promote", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(desk, quietly)
    assert [entry["kind"] for entry in place.history()] == ["first", "refresh"]
    outcome = retrain(desk, quietly)

    assert not outcome.is_new
    assert outcome.published is not None
    assert [entry["kind"] for entry in place.history()] == ["first", "refresh", "promotion"]


def test_a_champion_that_changed_meanwhile_is_not_replaced(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    judge_says(monkeypatch, promote=True)
    retrain(desk, quietly)
    serving = desk.release().release

    def outdated(*_: object, **__: object) -> Verdict:
        """Another promotion lands while this challenger is being weighed."""
        with flows.retrain.lease.hold(desk.journal, "docs") as fence:
            desk.journal.publish(
                flows.retrain.replace(serving, model_version=1, adapter_digest=""),
                kind="manual",
                reason="",
                time=desk.now,
                fence=fence,
                expected_version=2,
            )
        return Verdict(promote=True, reason="better")

    monkeypatch.setattr(flows.retrain, "judge", outdated)
    place.edit("devices/firmware-updates.md", "firmware", "software")
    refresh(desk, quietly)

    with pytest.raises(PromoteConflictError):
        retrain(desk, quietly)

    assert [entry["kind"] for entry in place.history()][-1] == "manual"


def test_without_a_release_there_is_nothing_to_train_on(place: Place):
    (place.folder / "none").mkdir()
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write('[kb.none.source]\npath = "none"\n')

    done = place.run("retrain", "none", "--json")

    assert (done.status, done.json["error"]["code"]) == (1, "NO_RELEASE")
    assert "driftline refresh none" in done.err
