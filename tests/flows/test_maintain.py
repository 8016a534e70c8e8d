"""Upkeep: what is kept answers as before, what is not says so, and users notice nothing."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Never

import pytest

from flows.desk import Desk, open_desk
from flows.journal import lease
from flows.journal.journal import Journal
from flows.maintain import Maintained, maintain, snapshots_kept
from flows.refresh import refresh_under
from flows.release import Published, Release
from flows.search import search
from flows.settings.settings import load_settings
from flows.steps import quietly
from retrieval.errors import SnapshotMissingError
from tests.flows.conftest import Place
from tests.retrieval.test_upkeep import needed

pytestmark = pytest.mark.usefixtures("warm")

DAY = timedelta(days=1)
REFRESHES = 20  # so that compaction pays
LATER = 30 * DAY
NAME = "billing/failed-payments.md"


@pytest.fixture(scope="module")
def aged_folder(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base in which every day a paragraph was edited and a note added, made once."""
    folder = tmp_path_factory.mktemp("aged") / "place"
    shutil.copytree(first_release, folder)
    path = folder / "docs" / NAME
    original = path.read_text(encoding="utf-8")
    with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
        for day in range(1, REFRESHES + 1):
            path.write_text(original.replace("is 14 days", f"is {day} and more days"), "utf-8")
            (folder / "docs" / f"{day}.md").write_text(f"# Note {day}\n\nLamp {day} is lit.")
            today = desk.at(desk.now + day * DAY)
            with lease.hold(desk.journal, "docs") as fence:
                refresh_under(today, quietly, fence)
    return folder


@pytest.fixture
def aged(aged_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(aged_folder, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


@pytest.fixture
def later(aged: Place) -> Iterator[Desk]:
    """The desk of the aged knowledge base, days after its last refresh."""
    with aged.desk() as desk:
        yield desk.at(desk.now + LATER)


def answer(desk: Desk, as_of: str | None = None) -> str:
    _, hits = search(desk, "The grace period is", quietly, limit=1, as_of=as_of)
    return hits[0].text


def ids(desk: Desk) -> list[str]:
    return [published.release.id for published in desk.journal.history("docs")]


def maintained(desk: Desk) -> Maintained:
    return maintain(desk, quietly)


def test_the_newest_and_the_champions_snapshot_stay_and_the_rest_goes(later: Desk):
    history = ids(later)
    before = answer(later)

    done = maintained(later)

    assert done.tidied.compacted
    assert answer(later) == before
    for day in range(REFRESHES - 4, REFRESHES + 1):
        assert f"is {day} and more days" in answer(later, history[day])
    assert "is 14 days" in answer(later, history[0])  # what the champion was trained on
    for day in (1, REFRESHES - 5):
        with pytest.raises(SnapshotMissingError):
            answer(later, history[day])


def test_what_answered_within_the_days_stays(aged: Place):
    aged.configure('[kb.docs.keep]\ndays = 15\nreleases = 1\n[kb.docs.source]\npath = "docs"\n')
    with aged.desk() as desk:
        history = ids(desk)
        # The fifteen days begin between the refresh of day 14 and the one of day 15.
        begin = desk.journal.history("docs")[15].time - timedelta(hours=1)
        later = desk.at(begin + 15 * DAY)
        maintained(later)

        assert "is 14 and more" in answer(later, history[14])
        assert "is 15 and more" in answer(later, history[15])
        with pytest.raises(SnapshotMissingError):
            answer(later, history[13])


def test_a_release_that_was_dropped_says_why_and_what_now(aged: Place, later: Desk):
    maintained(later)

    done = aged.run("search", "docs", "text", "--as-of", ids(later)[3], "--json")

    assert done.json["error"]["code"] == "SNAPSHOT_MISSING"
    assert "[kb.docs.keep]" in done.err
    assert "driftline history docs" in done.err


def test_the_same_release_is_published_as_upkeep(aged: Place, later: Desk):
    before = aged.history()

    done = maintained(later)

    *earlier, newest = aged.history()
    assert earlier == before
    assert newest["kind"] == "upkeep"
    assert newest["release"] == before[-1]["release"]
    assert newest["snapshot"] == done.published.release.snapshot != before[-1]["snapshot"]
    snapshot = done.published.release.snapshot
    status = aged.run("status", "--json").json["docs"]
    assert (status["release"], status["snapshot"]) == (newest["release"], snapshot)
    with aged.desk() as desk:
        serving = desk.release().release
        kept = desk.journal.history("docs")[-2].release
        assert serving == replace(kept, snapshot=snapshot)


def test_upkeep_where_nothing_is_to_be_done_publishes_nothing(later: Desk):
    maintained(later)
    count = len(ids(later))

    done = maintained(later)

    assert not done.tidied.compacted
    assert len(ids(later)) == count


def test_the_next_refresh_goes_on_from_the_tidied_snapshot(aged: Place, later: Desk):
    maintained(later)
    aged.edit("billing/vouchers.txt", "voucher", "token")

    done = aged.run("refresh", "docs", "--json")

    assert (done.status, done.json["edited"], done.json["unchanged"]) == (0, 1, 9 + REFRESHES)
    assert aged.run("refresh", "docs", "--json").json["embedded"] == 0


def test_drift_is_still_measured_from_the_champions_snapshot(aged: Place, later: Desk):
    before = aged.run("drift", "docs", "--json").json

    maintained(later)

    after = aged.run("drift", "docs", "--json").json
    assert after["reference"] == before["reference"] == later.release().release.trained_on
    assert after["signals"] == before["signals"]
    assert {signal["name"]: signal["score"] for signal in after["signals"]}["changed_chunks"] > 0


def test_the_disk_holds_what_is_live_and_what_is_kept(later: Desk):
    history = later.journal.history("docs")
    kept = snapshots_kept(history, since=later.now - 7 * DAY, newest=5)
    index = later.settings.home_folder / "index"
    pins = sum(needed(index, snapshot.version) for snapshot in kept)

    done = maintained(later)

    live = needed(index, later.index.newest(kept[0]).version)
    assert done.tidied.versions_left <= len(kept) + 3
    assert done.tidied.bytes_after <= 3 * live + pins
    assert done.tidied.bytes_after < done.tidied.bytes_before


def test_nothing_is_removed_while_another_run_is_at_work(aged: Place, later: Desk):
    with lease.hold(later.journal, "docs"):
        done = aged.run("maintain", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (3, "BUSY")
    assert "is 1 and more days" in answer(later, ids(later)[1])


def test_without_a_release_there_is_nothing_to_keep(place: Place):
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write('[kb.none.source]\npath = "none"\n')

    done = place.run("maintain", "none", "--json")

    assert (done.status, done.json["error"]["code"]) == (1, "NO_RELEASE")


def test_what_a_killed_refresh_left_is_published_by_a_refresh_alone(
    aged: Place, monkeypatch: pytest.MonkeyPatch
):
    aged.edit(NAME, f"is {REFRESHES} and more days", "is never to be seen before it is published")

    def killed(*_: object, **__: object) -> Never:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "publish", killed)
        assert aged.run("refresh", "docs").status == 130
    count = len(aged.history())
    with aged.desk() as desk:
        later = desk.at(desk.now + LATER)
        done = maintained(later)

        assert f"is {REFRESHES} and more days" in answer(later)
    assert done.published.kind != "upkeep"
    assert len(aged.history()) == count
    refreshed = aged.run("refresh", "docs", "--json")
    assert (refreshed.status, refreshed.json["embedded"]) == (0, 0)
    assert len(aged.history()) == count + 1
    with aged.desk() as desk:
        assert "is never to be seen before" in answer(desk)


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def publications(*days_and_snapshots: tuple[int, str]) -> tuple[Published, ...]:
    """Return a history of publications of so many days ago; all were trained on `docs@1`."""
    release = Release("docs", "", "c", "e", "m", 1, "docs@1", "b", "b", "", "p")
    return tuple(
        Published(at, NOON - days * DAY, "refresh", "", replace(release, snapshot=snapshot))
        for at, (days, snapshot) in enumerate(days_and_snapshots)
    )


@pytest.mark.parametrize(
    ("history", "days", "newest", "kept"),
    [
        pytest.param([], 7, 5, [], id="no-release-yet"),
        pytest.param([(9, "docs@5")], 7, 1, ["docs@1", "docs@5"], id="one-older-than-the-days"),
        pytest.param(
            [(9, "docs@3"), (8, "docs@4"), (8, "docs@5")],
            7,
            2,
            ["docs@1", "docs@4", "docs@5"],
            id="the-newest-however-old",
        ),
        pytest.param(
            [(9, "docs@3"), (8, "docs@4"), (7, "docs@5"), (1, "docs@6")],
            7,
            1,
            ["docs@1", "docs@4", "docs@5", "docs@6"],
            id="exactly-as-old-as-the-days-and-what-answered-before",
        ),
        pytest.param(
            [(8, "docs@4"), (3, "docs@2.1"), (1, "docs@2.7")],
            2,
            1,
            ["docs@1", "docs@2.1", "docs@2.7"],
            id="an-index-made-anew",
        ),
        pytest.param(
            [(9, "docs@3"), (8, "docs@9"), (1, "docs@3")],
            7,
            1,
            ["docs@1", "docs@3", "docs@9"],
            id="published-twice",
        ),
    ],
)
def test_snapshots_are_kept_by_age_and_by_number(
    history: list[tuple[int, str]], days: int, newest: int, kept: list[str]
):
    found = snapshots_kept(publications(*history), since=NOON - days * DAY, newest=newest)

    assert sorted(map(str, found)) == kept


def test_what_the_champion_was_trained_on_stays_however_old():
    (old, new) = publications((90, "docs@1"), (0, "docs@50"))
    retrained = replace(new, release=replace(new.release, trained_on="docs@49"))

    found = snapshots_kept([old, retrained], since=NOON - DAY / 2, newest=1)

    assert sorted(map(str, found)) == ["docs@1", "docs@49", "docs@50"]
