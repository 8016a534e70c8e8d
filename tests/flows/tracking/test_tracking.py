"""What a check leaves in MLflow: metrics, tables, the page, and a step of the timeline."""

import errno
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.records import Check
from flows.tracking.runs import Tracker
from monitors.drift import unmeasured
from monitors.records import Action, Cost, Decision, Signal
from tests.flows.checks import REFRESHED
from tests.monitors.reports import report_saying

NOW = datetime(2026, 5, 4, 6, tzinfo=UTC)
REPORT = replace(
    report_saying("a.md"),
    signals=(
        Signal("unseen_shingles", 0.2, 0.1, drifted=True, reason="20 %"),
        Signal("probed_staleness", 0.1, 0.05, drifted=True, reason="10 %", low=0.06, high=0.14),
        Signal("novelty", None, 0.05, drifted=False, reason="not measured: no vectors"),
    ),
    staleness_low=0.06,
    staleness_high=0.14,
    edits_found=7,
)
DECISION = Decision(Action.WATCH, "it moved", Cost(120.0, None, "EUR", "by one past run"))
CHECK = Check(1, REFRESHED, REPORT, DECISION, None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One MLflow database for all: its tables take seconds to make."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def client(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def tracker(home: Path, request: pytest.FixtureRequest) -> Tracker:
    """Return the tracker of a knowledge base of this test's own."""
    return Tracker(f"sqlite:///{home / 'mlflow.db'}", request.node.name.replace("[", "-"), home)


def table(client: MlflowClient, run_id: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table that was logged."""
    read = json.loads(Path(client.download_artifacts(run_id, name)).read_text(encoding="utf-8"))
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


def timeline(client: MlflowClient, run_id: str) -> str:
    """Return the id of the timeline beside a check."""
    experiment = client.get_run(run_id).info.experiment_id
    (found,) = client.search_runs([experiment], "tags.`driftline.role` = 'timeline'")
    return str(found.info.run_id)


def test_what_was_measured_is_a_metric_and_what_was_not_is_none(
    tracker: Tracker, client: MlflowClient
):
    run = client.get_run(tracker.record_check(CHECK, NOW))

    metrics = run.data.metrics
    assert metrics["drift/staleness"] == 0.1
    assert (metrics["drift/staleness_low"], metrics["drift/staleness_high"]) == (0.06, 0.14)
    assert metrics["drift/unseen_shingles"] == 0.2
    assert metrics["drift/probed_staleness_low"] == 0.06
    assert metrics["drift/edits"] == 7
    assert metrics["drift/housekeeping_documents"] == 1
    assert metrics["drift/triage_cured"] == 0.5
    assert metrics["decision/cost_seconds"] == 120
    assert metrics["decision/level"] == 1
    assert not any(name.startswith("drift/novelty") for name in metrics)


def test_a_cost_that_is_not_known_is_no_metric(tracker: Tracker, client: MlflowClient):
    unknown = replace(CHECK, decision=replace(DECISION, cost=Cost(None, None, "EUR", "no run")))

    run = client.get_run(tracker.record_check(unknown, NOW))

    assert "decision/cost_seconds" not in run.data.metrics


def test_what_is_behind_it_is_kept_as_tables(tracker: Tracker, client: MlflowClient):
    run_id = tracker.record_check(CHECK, NOW)

    edits, words, parts = (
        table(client, run_id, name) for name in ("edits.json", "words.json", "parts.json")
    )
    assert edits == [
        {"uri": "a.md", "kind": "number", "was": "a.md", "now": "a.md",
         "sentence_was": "a.md 1", "sentence_now": "a.md 2"}
    ]  # fmt: skip
    assert [(row["change"], row["word"], row["before"], row["now"]) for row in words] == [
        ("came", "a.md", 0, 3),
        ("went", "a.md", 3, 0),
    ]
    assert [(row["part"], row["share"]) for row in parts] == [
        ("folder", 1.0), ("section", 1.0), ("change", 1.0),
    ]  # fmt: skip
    assert len(table(client, run_id, "signals.json")) == 3
    assert len(table(client, run_id, "documents.json")) == 1


def test_the_page_is_found_with_its_run(tracker: Tracker, client: MlflowClient, tmp_path: Path):
    page = tmp_path / "docs-1-docs-2.html"
    page.write_text("<p>page</p>", encoding="utf-8")

    run_id = tracker.record_check(replace(CHECK, page=page), NOW)

    (logged,) = client.list_artifacts(run_id, "report")
    assert logged.path == "report/docs-1-docs-2.html"


def test_each_check_is_one_step_of_every_line(tracker: Tracker, client: MlflowClient):
    for number in (1, 2, 3):
        report = replace(REPORT, staleness=0.1 * number)
        check = replace(CHECK, number=number, report=report)
        run_id = tracker.record_check(check, NOW + timedelta(days=number))

    line = client.get_metric_history(timeline(client, run_id), "drift/staleness")
    assert [(point.step, round(point.value, 1)) for point in line] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert [point.timestamp - line[0].timestamp for point in line] == [0, 86_400_000, 172_800_000]


def test_a_check_says_its_decision_in_tags_and_in_its_note(tracker: Tracker, client: MlflowClient):
    tags = client.get_run(tracker.record_check(CHECK, NOW)).data.tags

    assert (tags["driftline.action"], tags["driftline.reason"]) == ("watch", "it moved")
    assert tags["mlflow.note.content"].startswith("## watch\nit moved")
    assert tags["mlflow.runName"] == "watch: a.md moved, 2026-05-04 06:00"


def test_a_check_that_measured_nothing_has_no_staleness(tracker: Tracker, client: MlflowClient):
    decision = Decision(Action.BLOCKED, "docs@1 is gone")
    check = Check(1, REFRESHED, unmeasured("docs@1", "docs@2"), decision, None)

    run = client.get_run(tracker.record_check(check, NOW))

    assert not any(name.startswith("drift/") for name in run.data.metrics)
    assert run.data.metrics["decision/level"] == -1
    assert client.list_artifacts(run.info.run_id) == []


@pytest.mark.parametrize(
    ("code", "left"),
    [(errno.ENOSPC, []), (errno.EIO, ["model"])],
    ids=["full", "of-another-kind"],
)
def test_what_an_upload_left_on_a_full_disk_is_removed(
    tracker: Tracker, client: MlflowClient, tmp_path: Path, code: int, left: list[str]
):
    part = tmp_path / "weights"
    part.write_bytes(b"half")
    training = tracker.training_run("training", NOW, key="k", parent="")
    run = training.__enter__()
    run.client.log_artifact(run.run_id, str(part), "model")
    stopped = OSError(code, "it stopped")

    handled = training.__exit__(OSError, stopped, None)

    assert not handled
    assert client.get_run(run.run_id).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(run.run_id)] == left
