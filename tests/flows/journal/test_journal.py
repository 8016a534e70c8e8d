"""The journal: nothing acknowledged is lost, nothing is changed unseen, one promotion wins."""

import sqlite3
from pathlib import Path

import pytest

from flows.errors import LostLeaseError, NewerJournalError, PromoteConflictError
from flows.journal.journal import Fence, Journal, Line
from flows.release import Release
from tests.flows.journal.journals import NOW, release


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def journal(url: str) -> Journal:
    return Journal(url)


@pytest.fixture
def fence(journal: Journal) -> Fence:
    taken = journal.take_lease("docs", holder="me", now=0.0, expected=None)
    assert taken is not None
    return taken


def publish(journal: Journal, fence: Fence, published: Release, *, expected: int | None):
    return journal.publish(
        published,
        kind="refresh",
        reason="because",
        time=NOW,
        fence=fence,
        expected_version=expected,
    )


def test_the_last_publication_is_what_answers(journal: Journal, fence: Fence, url: str):
    publish(journal, fence, release(), expected=None)
    second = publish(journal, fence, release(snapshot="docs@2", content_digest="c2"), expected=1)

    assert Journal(url).serving("docs") == second
    assert [p.release.snapshot for p in journal.history("docs")] == ["docs@1", "docs@2"]
    assert journal.serving("other") is None


def test_a_release_is_found_by_a_prefix_of_its_id(journal: Journal, fence: Fence):
    first = publish(journal, fence, release(), expected=None)

    assert journal.published("docs", first.release.id[:8]) == first
    assert journal.published("docs", "0000000000") is None


@pytest.mark.parametrize("expected", [None, 1, 3])
def test_a_promotion_against_another_champion_is_told_and_writes_nothing(
    journal: Journal, fence: Fence, expected: int | None
):
    publish(journal, fence, release(model_version=2), expected=None)

    with pytest.raises(PromoteConflictError, match="is version 2"):
        publish(journal, fence, release(model_version=4), expected=expected)

    assert len(journal.history("docs")) == 1


def test_what_is_beside_a_release_is_written_with_it(journal: Journal, fence: Fence):
    beside = [Line("promotion", {"to": 2}, key="2"), Line("freeze", {"frozen": True})]

    journal.publish(
        release(), kind="k", reason="", time=NOW, fence=fence, expected_version=None, beside=beside
    )

    assert journal.serving("docs") is not None
    found = journal.last("docs", "promotion", key="2")
    assert found is not None
    assert found.payload == {"to": 2}
    assert journal.count("docs", "freeze") == 1
    assert journal.first_broken() is None


def test_what_cannot_be_written_beside_a_release_keeps_it_from_being_published(
    journal: Journal, fence: Fence
):
    unwritable = Line("promotion", {("no", "JSON"): 1})  # type: ignore[dict-item]

    with pytest.raises(TypeError, match="keys must be"):
        journal.publish(
            release(),
            kind="promotion",
            reason="",
            time=NOW,
            fence=fence,
            expected_version=None,
            beside=[Line("freeze", {}), unwritable],
        )

    assert journal.serving("docs") is None
    assert journal.last("docs", "freeze") is None


def test_a_run_that_lost_its_lease_publishes_nothing(journal: Journal, fence: Fence):
    held = journal.lease("docs")
    journal.take_lease("docs", holder="another", now=1.0, expected=held)

    with pytest.raises(LostLeaseError):
        publish(journal, fence, release(), expected=None)
    with pytest.raises(LostLeaseError):
        journal.append("docs", "check", {}, time=NOW, fence=fence)

    assert journal.serving("docs") is None


def test_a_freed_lease_never_becomes_valid_again(journal: Journal, fence: Fence):
    journal.free_lease(fence)

    with pytest.raises(LostLeaseError):
        publish(journal, fence, release(), expected=None)
    assert not journal.renew_lease(Fence("docs", fence.epoch - 1), now=2.0)


def test_a_lease_is_taken_by_the_one_who_saw_it_last(journal: Journal):
    seen = journal.lease("docs")
    first = journal.take_lease("docs", holder="first", now=0.0, expected=seen)

    second = journal.take_lease("docs", holder="second", now=0.0, expected=seen)

    assert first is not None
    assert second is None


@pytest.mark.parametrize("column", ["payload", "time", "kind", "previous", "digest", "key"])
def test_a_changed_entry_is_found(journal: Journal, tmp_path: Path, column: str):
    for number in range(4):
        journal.append("docs", "check", {"number": number}, time=NOW)
    assert journal.first_broken() is None

    with sqlite3.connect(tmp_path / "journal.db") as database:
        change = f"UPDATE entries SET {column} = 'x' || {column} WHERE sequence = 3"  # noqa: S608
        database.execute(change)

    assert journal.first_broken() == 3


def test_a_removed_entry_is_found(journal: Journal, tmp_path: Path):
    for number in range(4):
        journal.append("docs", "check", {"number": number}, time=NOW)

    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("DELETE FROM entries WHERE sequence = 2")

    assert journal.first_broken() == 2


def test_a_newer_journal_is_refused_and_left_alone(journal: Journal, tmp_path: Path, url: str):
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("UPDATE format SET version = 99")

    with pytest.raises(NewerJournalError, match="format 99"):
        Journal(url)


def test_the_id_of_a_release_is_its_parts_and_not_their_places():
    parts = release()

    assert parts.id == release(snapshot="docs@9", model_version=7, trained_on="docs@3").id
    for part in ("content_digest", "embedder", "base_digest", "adapter_digest", "prompt_digest"):
        assert parts.id != release(**{part: "other"}).id


def test_a_stored_release_of_the_first_format_still_loads(tmp_path: Path):
    stored = Path(__file__).parents[2] / "data" / "journal-1.sql"
    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.executescript(stored.read_text(encoding="utf-8"))

    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")

    assert journal.first_broken() is None
    serving = journal.serving("docs")
    assert serving is not None
    assert serving.release == release()
    assert serving.reason == "first release"


def test_the_newest_entries_are_read_and_those_after_one_are_counted(journal: Journal):
    entries = [journal.append("docs", "check", {"at": at}, time=NOW) for at in range(5)]
    journal.append("help", "check", {"at": 9}, time=NOW)

    newest = journal.entries("docs", "check", newest=2)

    assert [entry.payload["at"] for entry in newest] == [3, 4]
    assert journal.count("docs", "check", after=entries[2].sequence) == 2
    assert journal.count("docs", "check", after=entries[4].sequence) == 0
