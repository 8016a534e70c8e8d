"""The chain: any entry that is changed, gone or moved is found, and said which and how."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.journal import lease
from flows.journal.chain import Damage, Fault, digest_of
from flows.journal.head import Head
from flows.journal.journal import Journal, open_journal
from tests.flows.conftest import Place
from tests.flows.journal.journals import NOW, sqlite_url

_NAMES = ("sequence", "time", "kb", "kind", "key", "payload", "previous", "digest")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(sqlite_url(tmp_path)) as opened:
        for number in range(5):
            opened.append("docs", "check", {"number": number}, time=NOW)
        yield opened


class Forger:
    """Whoever can write the database file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal.db"

    def do(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.file)) as database, database:
            database.execute(statement, values)

    def row(self, sequence: int) -> dict[str, Any]:
        query = f"SELECT {', '.join(_NAMES)} FROM entries WHERE sequence = ?"  # noqa: S608 - ours
        with closing(sqlite3.connect(self.file)) as database:
            found = database.execute(query, [sequence]).fetchone()
        return dict(zip(_NAMES, found, strict=True))

    def rewrite(self, sequence: int, **changes: Any) -> None:
        """Change an entry and give it the digest that fits."""
        row = self.row(sequence) | changes
        row["digest"] = digest_of(row)
        told = ", ".join(f"{name} = ?" for name in _NAMES)
        update = f"UPDATE entries SET {told} WHERE sequence = ?"  # noqa: S608 - ours
        self.do(update, *(row[name] for name in _NAMES), sequence)

    def rewrite_from(self, sequence: int, **changes: Any) -> None:
        """Change an entry and make the whole chain after it fit."""
        self.rewrite(sequence, **changes)
        for later in range(sequence + 1, 6):
            self.rewrite(later, previous=self.row(later - 1)["digest"])

    def swap(self, one: int, other: int) -> None:
        for old, new in ((one, 99), (other, one), (99, other)):
            self.do("UPDATE entries SET sequence = ? WHERE sequence = ?", new, old)


@pytest.fixture
def forger(tmp_path: Path, journal: Journal) -> Forger:
    return Forger(tmp_path)


def test_a_chain_that_nobody_touched_holds(journal: Journal):
    chain = journal.verify()

    assert (chain.entries, chain.redacted, chain.fault) == (5, 0, None)
    assert chain.head == chain.known


@pytest.mark.parametrize("at", [1, 3, 5], ids=["the-first", "in-between", "the-last"])
@pytest.mark.parametrize("column", ["payload", "time", "kb", "kind", "key", "previous", "digest"])
def test_a_changed_entry_is_found(journal: Journal, forger: Forger, column: str, at: int):
    forger.do(f"UPDATE entries SET {column} = 'x' || {column} WHERE sequence = ?", at)  # noqa: S608 - ours

    assert journal.verify().fault == Fault(at, Damage.CHANGED)
    assert journal.first_broken() == at


@pytest.mark.parametrize("at", [1, 3], ids=["the-first", "in-between"])
def test_a_removed_entry_is_found(journal: Journal, forger: Forger, at: int):
    forger.do("DELETE FROM entries WHERE sequence = ?", at)

    assert journal.verify().fault == Fault(at, Damage.MISSING)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 4)])
def test_entries_that_changed_places_are_found(
    journal: Journal, forger: Forger, one: int, other: int
):
    forger.swap(one, other)

    assert journal.verify().fault == Fault(one, Damage.REORDERED)


def test_an_entry_that_was_written_anew_with_its_digest_does_not_fit_the_next(
    journal: Journal, forger: Forger
):
    forger.rewrite(3, payload=json.dumps({"number": 7}))

    assert journal.verify().fault == Fault(4, Damage.UNLINKED)


@pytest.mark.parametrize("left", [0, 4], ids=["nothing-is-left", "one-is-gone"])
def test_a_cut_off_end_is_found_by_what_was_noted_outside(
    journal: Journal, forger: Forger, left: int
):
    forger.do("DELETE FROM entries WHERE sequence > ?", left)

    assert journal.verify().fault == Fault(left + 1, Damage.TRUNCATED)


def test_a_cut_off_end_stays_found_when_the_journal_grows_over_it(journal: Journal, forger: Forger):
    forger.do("DELETE FROM entries WHERE sequence > 4")
    for number in range(3):
        journal.append("docs", "check", {"other": number}, time=NOW)

    assert journal.verify().fault == Fault(5, Damage.UNLINKED)


def test_a_chain_that_was_made_anew_from_an_entry_on_is_found_by_what_was_noted_outside(
    journal: Journal, forger: Forger
):
    forger.rewrite_from(2, payload=json.dumps({"number": 7}))

    assert journal.verify().fault == Fault(5, Damage.UNLINKED)


def test_without_a_note_a_chain_made_anew_is_found_only_by_an_entry_that_a_person_noted(
    journal: Journal, forger: Forger, tmp_path: Path
):
    third = forger.row(3)
    known = Head(third["sequence"], third["digest"])
    assert journal.verify(known).fault is None
    forger.rewrite_from(2, payload=json.dumps({"number": 7}))
    (tmp_path / "journal.head").unlink()

    assert journal.verify().fault is None
    assert journal.verify(known).fault == Fault(3, Damage.UNLINKED)


def test_a_note_behind_the_journal_is_no_fault(journal: Journal, tmp_path: Path):
    note = tmp_path / "journal.head"
    behind = note.read_text(encoding="utf-8")
    journal.append("docs", "check", {}, time=NOW)
    note.write_text(behind, encoding="utf-8")

    assert journal.verify().fault is None
    journal.append("docs", "check", {}, time=NOW)
    assert json.loads(note.read_text(encoding="utf-8"))["sequence"] == 7


@pytest.mark.parametrize("text", ["", "torn {", '{"sequence": 1}', "[]"])
def test_a_note_that_cannot_be_read_counts_for_nothing(journal: Journal, tmp_path: Path, text: str):
    (tmp_path / "journal.head").write_text(text, encoding="utf-8")

    assert journal.verify().known is None
    journal.append("docs", "check", {}, time=NOW)
    assert journal.verify().known is not None


def _redacted(_kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "number": "-"}


def redact(journal: Journal) -> None:
    with lease.hold(journal, "docs") as fence:
        rewritten = journal.redact("docs", _redacted, actor="a", why="b", time=NOW, fence=fence)
    assert rewritten == 5


def test_what_an_erasure_rewrote_holds_and_is_counted(journal: Journal):
    redact(journal)

    chain = journal.verify()

    assert (chain.entries, chain.redacted, chain.fault) == (6, 5, None)


def test_what_is_changed_after_an_erasure_is_found(journal: Journal, forger: Forger):
    redact(journal)
    forger.do("UPDATE entries SET payload = ? WHERE sequence = 3", json.dumps({"number": 7}))

    assert journal.verify().fault == Fault(3, Damage.CHANGED)


def test_a_damaged_redaction_vouches_for_nothing(journal: Journal, forger: Forger):
    redact(journal)
    forger.do("UPDATE entries SET payload = 'torn' WHERE sequence = 6")

    assert journal.verify().fault == Fault(1, Damage.CHANGED)


@pytest.fixture
def place(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """Settings whose home holds the journal, and nothing else."""
    del journal
    bare = Place(tmp_path, capsys)
    bare.configure('home = "."\n[kb.docs]\nsource = {path = "docs"}\n')
    return bare


def test_the_command_says_what_holds_and_what_does_not(place: Place):
    held = place.run("history", "--verify", "--json")
    Forger(place.folder).do("UPDATE entries SET time = 'x' WHERE sequence = 2")

    broken = place.run("history", "--verify")
    asked_json = place.run("history", "--verify", "--json")

    assert (held.status, held.json["intact"], held.json["head"]) == (0, True, held.json["known"])
    assert broken.status == asked_json.status == 5
    assert "JOURNAL_CORRUPT: Entry 2 does not have the digest" in broken.err
    assert "What comes before entry 2 holds" in broken.err
    assert asked_json.json["error"]["code"] == "JOURNAL_CORRUPT"


def test_the_command_compares_with_an_entry_that_a_person_noted(place: Place):
    head = place.run("history", "--verify", "--json").json["head"]
    other = f"1:{'0' * 64}"

    assert place.run("history", "--verify", "--known", head).status == 0
    assert place.run("history", "--verify", "--known", other).status == 5
    assert place.run("history", "--verify", "--known", "1:0").status == 2
    assert place.run("history").status == 2
