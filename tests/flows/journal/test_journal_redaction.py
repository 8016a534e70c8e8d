"""A journal from which text was taken still shows every other change."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.journal import lease
from flows.journal.journal import Journal, open_journal

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def without_ada(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(payload).replace("Ada", "[erased]"))  # type: ignore[no-any-return]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Three entries, of which the second named Ada until it was redacted."""
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        for said in ("one", "Ada", "three"):
            opened.append("docs", "check", {"reason": said}, time=NOW)
        opened.append("other", "check", {"reason": "Ada"}, time=NOW)
        with lease.hold(opened, "docs") as fence:
            opened.redact("docs", without_ada, actor="person Bea", why="x", time=NOW, fence=fence)
        yield opened


def change(folder: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as database, database:
        database.execute(sql, values)


def test_what_was_redacted_is_gone_and_the_chain_holds(journal: Journal):
    reasons = [entry.payload["reason"] for entry in journal.entries("docs", "check")]

    assert reasons == ["one", "[erased]", "three"]
    assert journal.entries("other", "check")[0].payload == {"reason": "Ada"}
    assert journal.first_broken() is None


def test_a_redaction_says_which_entries_by_whom_and_why(journal: Journal):
    [entry] = journal.entries("docs", "redaction")

    assert [each["sequence"] for each in entry.payload["entries"]] == [2]
    assert (entry.payload["actor"], entry.payload["why"]) == ("person Bea", "x")


def test_nothing_to_redact_writes_nothing(journal: Journal):
    with lease.hold(journal, "docs") as fence:
        count = journal.redact(
            "docs", without_ada, actor="person Bea", why="x", time=NOW, fence=fence
        )

    assert count == 0
    assert len(journal.entries("docs", "redaction")) == 1


def test_one_that_is_redacted_twice_holds_as_it_was_left(journal: Journal):
    with lease.hold(journal, "docs") as fence:
        journal.redact(
            "docs",
            lambda _, payload: {**payload, "reason": "again"},
            actor="person Bea",
            why="y",
            time=NOW,
            fence=fence,
        )

    assert journal.first_broken() is None


@pytest.mark.parametrize("sequence", [1, 2, 3], ids=["before", "the-redacted-one", "after"])
def test_any_other_change_is_found(journal: Journal, tmp_path: Path, sequence: int):
    payload = json.dumps({"reason": "never said"})

    change(tmp_path, "UPDATE entries SET payload = ? WHERE sequence = ?", payload, sequence)

    assert journal.first_broken() == sequence


def test_a_redaction_that_was_changed_is_found(journal: Journal, tmp_path: Path):
    [entry] = journal.entries("docs", "redaction")
    payload = {**entry.payload, "actor": "nobody"}

    change(
        tmp_path,
        "UPDATE entries SET payload = ? WHERE sequence = ?",
        json.dumps(payload, sort_keys=True),
        entry.sequence,
    )

    assert journal.first_broken() == entry.sequence
