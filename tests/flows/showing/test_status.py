"""How a knowledge base stands: read from a real journal, both sides of everything that is told."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.journal import lease
from flows.journal.holders import myself, write_holder
from flows.journal.journal import Journal, open_journal
from flows.journal.outbox import Errand
from flows.release import Release
from flows.settings.training import PromotionMode
from flows.showing.disk_use import disk_use
from flows.showing.look import Errands, errands_of
from flows.showing.status import Level, Staleness, Standing, level_of, standing
from monitors.decision.policy import RetrainPolicy
from monitors.records import Action
from tests.faults.disks import mounted
from tests.flows.checks import RELEASE
from tests.flows.conftest import Place

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = RetrainPolicy()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def publish(journal: Journal, at: datetime, *, kind: str = "refresh", **changes: Any) -> Release:
    serving = journal.serving("docs")
    release = replace(RELEASE, **changes)
    with lease.hold(journal, "docs") as fence:
        journal.publish(
            release,
            kind=kind,
            reason="documents: 1 edited",
            time=at,
            fence=fence,
            expected_version=serving.release.model_version if serving else None,
        )
    return release


def check(journal: Journal, at: datetime, **changes: Any) -> None:
    payload = {
        "number": 1,
        "reference": "docs@1",
        "current": "docs@2",
        "staleness": 0.03,
        "staleness_low": 0.02,
        "staleness_high": 0.05,
        "signals": [{"name": "unseen_shingles"}],
        "action": "watch",
        "reason": "staleness 3 % is over 1.1 %. The index has cured it",
        "needs_approval": False,
        "run_id": "ab12",
    }
    journal.append("docs", "check", {**payload, **changes}, time=at)


def refreshed(journal: Journal, at: datetime, *, digest: str = "c", documents: int = 7) -> None:
    payload = {"documents": documents, "chunks": 3 * documents, "snapshot": "docs@2"}
    journal.append("docs", "refresh", payload, time=at, key=digest)


def verdict(journal: Journal, at: datetime, *, version: int, promote: bool = True) -> None:
    payload = {"version": version, "promote": promote, "champion_version": 3}
    journal.append("docs", "verdict", payload, time=at)


def stands(journal: Journal, *, mode: PromotionMode = PromotionMode.AUTO) -> Standing:
    return standing(journal, "docs", policy=POLICY, promotion=mode, now=NOW)


def test_before_the_first_release_nothing_is_known_and_nothing_is_wrong(journal: Journal):
    found = stands(journal)

    assert (found.published, found.since, found.taken, found.read) == (None, None, None, None)
    assert (found.documents, found.decisions, found.level) == (0, (), Level.UNKNOWN)
    assert (found.stopped, found.frozen, found.waiting, found.training) == (None, None, None, None)


def test_a_release_answers_since_its_first_publication_in_a_row(journal: Journal):
    publish(journal, NOW - 9 * HOUR, kind="first", content_digest="a", snapshot="docs@1")
    publish(journal, NOW - 5 * HOUR, content_digest="b", snapshot="docs@2")
    publish(journal, NOW - 2 * HOUR, kind="upkeep", content_digest="b", snapshot="docs@3")

    found = stands(journal)

    assert found.since == NOW - 5 * HOUR
    assert found.snapshots == 3


def test_a_promotion_makes_a_new_release_of_a_snapshot_as_old_as_it_was(journal: Journal):
    publish(journal, NOW - 9 * HOUR, kind="first")
    publish(journal, NOW - 1 * HOUR, kind="promotion", model_version=4, adapter_digest="better")

    found = stands(journal)

    assert (found.since, found.taken) == (NOW - HOUR, NOW - 9 * HOUR)


def test_content_that_comes_back_is_as_old_as_its_return(journal: Journal):
    for hours, digest in ((9, "a"), (5, "b"), (2, "a")):
        publish(journal, NOW - hours * HOUR, content_digest=digest)

    assert stands(journal).taken == NOW - 2 * HOUR


def test_documents_are_counted_in_the_snapshot_that_answers(journal: Journal):
    refreshed(journal, NOW - 9 * HOUR, digest="a", documents=5)
    publish(journal, NOW - 9 * HOUR, content_digest="a")
    refreshed(journal, NOW - 5 * HOUR, digest="b", documents=50)
    publish(journal, NOW - 5 * HOUR, content_digest="b")
    publish(journal, NOW - 1 * HOUR, kind="rollback", content_digest="a")

    assert stands(journal).documents == 5


def test_a_check_that_found_nothing_new_has_read_the_sources(journal: Journal):
    refreshed(journal, NOW - 9 * HOUR)
    check(journal, NOW - HOUR)

    assert stands(journal).read == NOW - HOUR


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0109, Level.FRESH),
        (0.011, Level.WATCH),
        (0.0549, Level.WATCH),
        (0.055, Level.RETRAIN),
        (None, Level.UNKNOWN),
    ],
    ids=["under-watch", "at-watch", "under-retrain", "at-retrain", "not-measured"],
)
def test_a_level_is_reached_at_its_number(share: float | None, expected: Level):
    known = None if share is None else Staleness(share, None, None)

    assert level_of(known, watch=0.011, retrain=0.055) is expected


def test_the_last_decisions_come_with_their_intervals_newest_last(journal: Journal):
    for hours in range(7, 0, -1):
        check(journal, NOW - hours * HOUR, number=8 - hours)

    decisions = stands(journal).decisions

    assert [each.number for each in decisions] == [3, 4, 5, 6, 7]
    assert decisions[-1].staleness == Staleness(0.03, 0.02, 0.05)
    assert decisions[-1].action is Action.WATCH


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"signals": [], "staleness": 0.0}, None),
        ({"signals": [], "reference": "docs@2"}, Staleness(0.0, 0.0, 0.0)),
        ({"staleness_low": None, "staleness_high": None}, Staleness(0.03, None, None)),
    ],
    ids=["nothing-measured", "both-sides-are-one", "of-an-older-format"],
)
def test_what_was_not_measured_is_not_told_as_zero(
    journal: Journal, changes: dict[str, Any], expected: Staleness | None
):
    check(journal, NOW - HOUR, **changes)

    (decided,) = stands(journal).decisions

    assert decided.staleness == expected


def test_a_guard_blocks_until_a_look_gets_past_it(journal: Journal):
    journal.append("docs", "guard", {"code": "SRC_EMPTY", "reason": "empty"}, time=NOW - 2 * HOUR)
    blocked = stands(journal).stopped
    check(journal, NOW - HOUR)

    assert blocked is not None
    assert (blocked.code, blocked.time) == ("SRC_EMPTY", NOW - 2 * HOUR)
    assert stands(journal).stopped is None


def test_old_text_is_told_by_its_reason(journal: Journal):
    reasons = {"a.md": "no answer", "b.md": "no answer", "c.pdf": "encrypted"}
    journal.append("docs", "stale", {"documents": reasons}, time=NOW)

    told = [(each.reason, each.documents) for each in stands(journal).old_text]

    assert told == [("no answer", 2), ("encrypted", 1)]


def test_a_training_under_way_is_told_with_its_process(journal: Journal):
    with lease.hold(journal, "docs:training"):
        during = standing(
            journal,
            "docs",
            policy=POLICY,
            promotion=PromotionMode.AUTO,
            now=datetime.now(UTC),
        )

    assert during.training is not None
    assert during.training.process == os.getpid()
    assert during.writing is None
    assert stands(journal).training is None


@pytest.mark.parametrize(
    ("age", "certain"),
    [(0.0, True), (59.9, True), (60.0, False), (-1.0, False)],
    ids=["now", "beating", "too-long-ago", "in-the-future"],
)
def test_a_holder_elsewhere_that_a_clock_speaks_against_is_shown_with_the_doubt(
    journal: Journal, age: float, *, certain: bool
):
    holder = json.dumps({"host": "elsewhere", "pid": 7, "started": NOW.timestamp() - 900})
    journal.take_lease("docs", holder=holder, now=NOW.timestamp() - age, expected=None)

    held = stands(journal).writing

    assert held is not None
    assert (held.host, held.process, held.certain) == ("elsewhere", 7, certain)


@pytest.mark.parametrize("days", [-400, -1, 0, 1, 400])
def test_a_clock_that_jumped_neither_ends_a_run_of_this_host_nor_wakes_a_dead_one(
    journal: Journal, days: int
):
    me, gone = myself(), replace(myself(), begun="1")
    then, ticks = NOW.timestamp() + days * 86_400, time.monotonic()
    for name, holder in (("docs", me), ("docs:training", gone)):
        journal.take_lease(name, holder=write_holder(holder), now=then, ticks=ticks, expected=None)

    found = stands(journal)

    assert found.writing is not None
    assert (found.writing.process, found.writing.certain) == (os.getpid(), True)
    assert found.training is None


def test_a_run_of_this_host_that_missed_its_beats_holds_nothing_whatever_the_clock_says(
    journal: Journal,
):
    ticks = time.monotonic() - lease.TTL_SECONDS
    journal.take_lease(
        "docs", holder=write_holder(myself()), now=NOW.timestamp(), ticks=ticks, expected=None
    )

    assert stands(journal).writing is None


def test_a_doubtful_holder_is_shown_in_words_and_is_no_holder_for_an_alert(place: Place):
    holder = json.dumps({"host": "elsewhere", "pid": 7, "started": 0.0})
    with place.desk() as desk:
        desk.journal.take_lease("docs", holder=holder, now=0.0, expected=desk.journal.lease("docs"))

    shown, told = place.run("status", "docs").out, place.run("status", "docs", "--json").json
    metrics = place.run("metrics").out

    assert "dead, or a clock is wrong" in " ".join(shown.split())
    assert told["docs"]["writing"]["certain"] is False
    assert 'driftline_lease_held{kb="docs",lease="writer"} 0.0' in metrics


def test_events_are_shown_to_a_person_once_a_server_refused_them(place: Place):
    with place.desk() as desk:
        event = Errand("event", "docs:e", {})
        desk.journal.append("docs", "note", {}, time=NOW, errands=[event])

        before = place.run("status", "docs").out
        desk.journal.postpone(event, NOW, "the server is away")
        after = place.run("status", "docs").out

    assert "of kind event" not in before
    assert "the server is away" in " ".join(after.split())


def test_a_better_challenger_waits_for_a_person_where_one_is_asked(journal: Journal):
    publish(journal, NOW - 9 * HOUR)
    verdict(journal, NOW - HOUR, version=4)

    waiting = stands(journal, mode=PromotionMode.APPROVE).waiting

    assert waiting is not None
    assert waiting.command == "driftline promote docs --version 4"
    assert stands(journal, mode=PromotionMode.AUTO).waiting is None


@pytest.mark.parametrize("ended", ["worse", "promoted", "another-champion"])
def test_nothing_waits_once_it_is_settled(journal: Journal, ended: str):
    publish(journal, NOW - 9 * HOUR)
    verdict(journal, NOW - HOUR, version=4, promote=ended != "worse")
    if ended != "worse":
        publish(journal, NOW, kind="promotion", model_version=4 if ended == "promoted" else 5)

    assert stands(journal, mode=PromotionMode.APPROVE).waiting is None


def test_a_retraining_that_a_person_has_to_begin_waits_until_it_is_judged(journal: Journal):
    check(journal, NOW - 2 * HOUR, action="retrain", needs_approval=True)
    before = stands(journal).waiting
    verdict(journal, NOW - HOUR, version=4, promote=False)

    assert before is not None
    assert before.command == "driftline retrain docs"
    assert stands(journal).waiting is None


def test_what_waits_in_the_outbox_is_told_by_kind_with_what_it_met(journal: Journal):
    told = (Errand("notification", "a", {}), Errand("notification", "b", {}))
    journal.append("docs", "check", {}, time=NOW - 3 * HOUR, errands=told)
    journal.append("other", "check", {}, time=NOW, errands=[Errand("retrain", "c", {})])
    journal.postpone(told[1], NOW + HOUR, "the service answers 503")

    found = errands_of(journal.waiting(), "docs")

    assert found == (Errands("notification", 2, NOW - 3 * HOUR, "the service answers 503"),)


def test_disk_is_counted_by_what_it_holds(tmp_path: Path):
    for name, size in (
        ("index/docs.lance/data/a", 100),
        ("index/docs.2.lance/data/b", 20),
        ("index/docs-2.lance/data/c", 5_000),
        ("mlartifacts/docs/run/model/adapter.safetensors", 300),
        ("mlartifacts/docs/run/report.html", 7),
        ("mlartifacts/other/run/report.html", 5_000),
        ("kb/docs/trainings/x/checkpoint", 40),
        ("mlflow.db", 50),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)

    used = disk_use(tmp_path, "docs")

    assert (used.index_bytes, used.adapters_bytes, used.mlflow_bytes) == (120, 340, 57)
    assert used.free_bytes > 0


def test_nothing_is_used_where_nothing_is_yet(tmp_path: Path):
    used = disk_use(tmp_path / "not" / "there", "docs")

    assert (used.index_bytes, used.adapters_bytes, used.mlflow_bytes) == (0, 0, 0)


def test_status_is_one_object_a_knowledge_base(place: Place):
    place.run("monitor", "docs")

    told = place.run("status", "--json").json["docs"]

    assert told["level"] == "fresh"
    assert (told["staleness"], told["last_check"]) == (0.0, told["decisions"][-1]["time"])
    assert told["disk"]["index_bytes"] > 0
    assert (told["guard"], told["frozen"], told["waiting"]) == (None, None, None)
    assert {each["kind"] for each in told["outbox"]} <= {"event"}


def test_status_of_one_knowledge_base_that_is_not_there_names_those_that_are(place: Place):
    done = place.run("status", "dosc")

    assert done.status == 2
    assert "There are: docs" in done.err


def test_what_stopped_a_look_is_shown_until_it_is_put_right(place: Place):
    place.docs.rename(place.folder / "elsewhere")
    place.run("monitor", "docs")

    stopped = place.run("status", "docs", "--json").json["docs"]["guard"]
    shown = place.run("status", "docs").out
    (place.folder / "elsewhere").rename(place.docs)
    place.run("monitor", "docs")

    assert stopped["code"] == "SRC_UNREACHABLE"
    assert "SRC_UNREACHABLE" in shown
    assert place.run("status", "docs", "--json").json["docs"]["guard"] is None


def test_status_makes_no_folder_before_the_first_release(tmp_path: Path, place: Place):
    place.configure('home = "unmade"\n[kb.docs.source]\npath = "docs"\n')

    told = place.run("status", "--json").json["docs"]

    assert (told["release"], told["level"]) == (None, "unknown")
    assert not (place.folder / "unmade").exists()


def test_status_and_metrics_read_a_disk_that_takes_no_writes(place: Place, tmp_path: Path):
    with mounted(tmp_path / "disk") as disk:
        shutil.copytree(place.folder, disk.folder / "place")
        there = Place(disk.folder / "place", place.capsys)
        before = there.run("status", "--json").json["docs"]
        disk.make_writable(yes=False)

        status, metrics = there.run("status", "--json"), there.run("metrics")

        disk.make_writable(yes=True)
    assert status.status == metrics.status == 0, status.err + metrics.err
    assert status.json["docs"]["release"] == before["release"]
    assert 'driftline_documents{kb="docs"} 10.0' in metrics.out
