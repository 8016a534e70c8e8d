"""A scheduled run: what it decides, what it asks for, what it leaves in journal and MLflow."""

import shutil
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.desk import Desk
from flows.monitor import monitor
from flows.promoting.champion import first_champion
from flows.records import Request
from flows.steps import quietly
from monitors.records import Action
from retrieval.errors import SourceUnreachableError
from tests.flows.conftest import HANDBOOK, Place


def runs(desk: Desk, role: str) -> list[Any]:
    """Return the MLflow runs of one role, newest first."""
    client = MlflowClient(desk.settings.tracking_uri)
    experiment = client.get_experiment_by_name("driftline-docs")
    assert experiment is not None
    wanted = f"tags.`driftline.role` = '{role}'"
    return list(client.search_runs([experiment.experiment_id], wanted))


def move_the_corpus(place: Place) -> None:
    """Put other documents beside the known ones, so that most of the text is new."""
    for folder in ("devices", "energy"):
        shutil.copytree(HANDBOOK / folder, place.docs / folder)


def test_a_calm_check_decides_nothing_and_is_found_in_mlflow(desk: Desk):
    outcome = monitor(desk, quietly)

    assert outcome.check.decision.action is Action.NONE
    (run,) = runs(desk, "check")
    assert run.info.run_id == outcome.run_id
    assert run.data.tags["driftline.action"] == "none"
    assert run.data.tags["driftline.release"] == outcome.check.refresh.published.release.id
    assert run.data.metrics["drift/unseen_shingles"] == 0.0
    assert run.info.run_name.startswith("none: nothing moved")


def test_drift_asks_for_one_retraining_of_the_published_snapshot(place: Place, desk: Desk):
    move_the_corpus(place)
    asked: list[Request] = []

    def ask(request: Request) -> str:
        asked.append(request)
        return "flow run 1"

    outcome = monitor(desk, quietly, ask=ask)

    assert outcome.check.decision.action is Action.RETRAIN
    assert outcome.requested == "flow run 1"
    assert outcome.retraining is None
    (request,) = asked
    assert (request.snapshot, request.requested_by) == ("docs@3", outcome.run_id)
    assert "energy/" in request.reason
    assert "added as a whole folder" in request.reason
    assert outcome.check.refresh.published.release.snapshot == "docs@3"


def test_in_approve_mode_a_retraining_waits_for_a_person(place: Place):
    place.configure(
        '[kb.docs.source]\npath = "docs"\n[kb.docs.policy]\nmode = "approve"\n'
        "[kb.docs.surprise]\npassages = 0\n"
    )
    move_the_corpus(place)

    def ask(request: Request) -> str:
        pytest.fail(f"asked for {request}")

    with place.desk() as desk:
        outcome = monitor(desk, quietly, ask=ask)

    assert outcome.check.decision.action is Action.RETRAIN
    assert outcome.check.decision.needs_approval
    assert "waits for approval: `driftline retrain docs`" in outcome.check.decision.reason
    assert outcome.retraining is None
    assert outcome.requested is None


def test_the_same_text_asks_under_the_same_key(place: Place, desk: Desk):
    move_the_corpus(place)
    keys: list[str] = []

    def ask(request: Request) -> str:
        keys.append(request.key)
        return "run"

    for _ in range(2):
        monitor(desk, quietly, ask=ask)
    place.edit("devices/firmware-updates.md", "firmware", "software")
    monitor(desk, quietly, ask=ask)

    assert keys[0] == keys[1] != keys[2]


def test_drift_is_measured_from_the_champions_snapshot_and_adds_up(place: Place, desk: Desk):
    scores = []
    for folder in ("shipping", "policies"):
        shutil.copytree(HANDBOOK / folder, place.docs / folder)
        check = monitor(desk, quietly, ask=lambda _: "run").check
        scores.append(check.report.signals[0].score or 0.0)
        assert check.report.reference == "docs@2"

    assert scores[0] < scores[1]


def test_the_timeline_has_one_step_for_each_check(place: Place, desk: Desk):
    for number in range(3):
        place.edit("billing/failed-payments.md", f"{14 + number} days", f"{15 + number} days")
        monitor(desk.at(desk.now + timedelta(hours=number)), quietly)

    (timeline,) = runs(desk, "timeline")
    client = MlflowClient(desk.settings.tracking_uri)
    history = client.get_metric_history(timeline.info.run_id, "drift/unseen_shingles")
    assert [point.step for point in history] == [1, 2, 3]
    assert len({point.timestamp for point in history}) == 3


def test_a_report_page_is_written_once_for_each_comparison(place: Place, desk: Desk):
    place.edit("billing/failed-payments.md", "14 days", "21 days")

    first, second = monitor(desk, quietly), monitor(desk, quietly)

    client = MlflowClient(desk.settings.tracking_uri)
    (page,) = client.list_artifacts(first.run_id, "report")
    assert page.path.endswith(".html")
    assert page.file_size > 10_000
    assert client.list_artifacts(second.run_id, "report") == []


def test_a_blocked_check_is_found_in_mlflow(place: Place, desk: Desk):
    place.docs.rename(place.folder / "elsewhere")

    with pytest.raises(SourceUnreachableError):
        monitor(desk, quietly)

    (run,) = runs(desk, "check")
    assert run.data.tags["driftline.action"] == "blocked"
    assert run.data.tags["driftline.code"] == "SRC_UNREACHABLE"
    assert desk.journal.last("docs", "guard") is not None


def test_a_document_name_is_never_html_in_mlflow(place: Place, desk: Desk):
    name = "<img src=x onerror=alert(1)>.md"
    (place.docs / name).write_text("# New\n\nA text that nobody has read so far.\n")

    monitor(desk, quietly)

    (run,) = runs(desk, "check")
    assert "<img" not in run.data.tags["mlflow.note.content"]
    assert "&lt;img" in run.data.tags["mlflow.note.content"]


def test_an_alias_that_a_person_moved_is_followed_and_recorded(place: Place, desk: Desk):
    second = register_again(desk)
    pointed = desk.registry.pointed(desk.model_name, "champion")
    desk.registry.point(desk.model_name, "champion", second, expected=pointed)

    monitor(desk, quietly)
    monitor(desk, quietly)

    first, followed = place.history()
    assert (followed["kind"], followed["model_version"]) == ("manual", second)
    assert "moved in MLflow by hand, from version 1 to 2" in followed["reason"]
    assert followed["snapshot"] == first["snapshot"]


def test_an_alias_that_was_left_behind_is_moved(place: Place, desk: Desk):
    """A run that published a promotion and was killed before it moved the alias."""
    serving = desk.release().release
    promoted = replace(serving, model_version=register_again(desk), adapter_digest="")
    lease = desk.journal.take_lease(
        "docs", holder="killed", now=0.0, expected=desk.journal.lease("docs")
    )
    assert lease is not None
    desk.journal.publish(
        promoted, kind="promotion", reason="", time=desk.now, fence=lease, expected_version=1
    )

    monitor(desk, quietly)

    champion = desk.registry.aliased(desk.model_name, "champion")
    assert champion is not None
    assert champion.version == promoted.model_version
    assert [entry["kind"] for entry in place.history()] == ["first", "promotion"]


def test_a_first_champion_that_was_registered_is_not_registered_again(desk: Desk):
    before = desk.registry.aliased(desk.model_name, "champion")

    assert first_champion(desk, "docs@9") == before


def register_again(desk: Desk) -> int:
    """Register the base model a second time and return the version."""
    with desk.tracker.model_run("again", desk.now) as run:
        version: int = desk.registry.register(
            name=desk.model_name,
            base=desk.base,
            adapter=None,
            snapshot="docs@1",
            data_digest="",
            requested_by="",
            run_id=run.run_id,
            evaluation=None,
            verdict=None,
            card="again",
        ).version
    return version
