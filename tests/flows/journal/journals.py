"""Journals for tests: of the first format, on either kind of database, by many processes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from flows.journal.journal import open_journal
from flows.release import Release
from tests.faults.forking import PROCESSES
from tests.retrieval.postgres import Postgres

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST_FORMAT = Path(__file__).parents[2] / "data" / "journal-1.sql"


def release(**changes: Any) -> Release:
    values = {
        "kb": "docs",
        "snapshot": "docs@1",
        "content_digest": "c1",
        "embedder": "e",
        "model_name": "driftline-docs",
        "model_version": 1,
        "trained_on": "docs@1",
        "base": "package:base",
        "base_digest": "b",
        "adapter_digest": "",
        "prompt_digest": "p",
    }
    return Release(**{**values, **changes})


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


def first_format(folder: Path) -> str:
    """Make a SQLite journal of the first format, return its url."""
    with closing(sqlite3.connect(folder / "journal.db")) as database:
        database.executescript(FIRST_FORMAT.read_text(encoding="utf-8"))
    return sqlite_url(folder)


def first_format_on(server: Postgres, name: str) -> str:
    """Make a PostgreSQL journal of the first format, return its url."""
    return server.create_database(name, FIRST_FORMAT.read_text(encoding="utf-8"))


def write(url: str, start: Barrier, writer: int, number: int) -> None:
    """Open a journal when all the others do, and write so many entries."""
    start.wait()
    with open_journal(url) as journal:
        for at in range(number):
            journal.append("docs", "note", {"writer": writer, "at": at}, time=NOW)


def at_once(
    work: Callable[..., None], url: str, *, processes: int, number: int
) -> list[int | None]:
    """Do the same in several processes at the same moment, return how each ended."""
    start = PROCESSES.Barrier(processes)
    started = [
        PROCESSES.Process(target=work, args=(url, start, at, number)) for at in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    return [process.exitcode for process in started]
