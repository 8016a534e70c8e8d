"""What earlier scans of the sources found, so that an unchanged document is not read again.

It only saves work: without it, or with a damaged one, every document is read once more. Knows
SQLite alone.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from retrieval.records import RefusalCode

log = logging.getLogger(__name__)

_Value = TypeVar("_Value")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    source TEXT, uri TEXT, stamp TEXT, digest TEXT, refusal TEXT, reason TEXT,
    PRIMARY KEY (source, uri)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    kind TEXT, name TEXT, value TEXT, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""
# A missing table or column is SQLITE_ERROR: the file is another program's, or half made.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_PUT_DOCUMENT = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)"
_DROP_DOCUMENT = "DELETE FROM documents WHERE source = ? AND uri = ?"
_PUT_NOTE = "INSERT OR REPLACE INTO notes VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a document was when it was last read: its stamp, its digest, why it was refused."""

    stamp: str
    digest: str
    refusal: RefusalCode | None = None
    reason: str = ""


@dataclass
class Scan:
    """What a plan learnt, to be written down once the plan is applied.

    `documents` are by source and uri, None for one that is gone. `notes` are by kind; each kind is
    replaced as a whole, its values are what JSON can hold.
    """

    documents: dict[tuple[str, str], Seen | None] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)


class ScanCache:
    """The scans of one knowledge base. Reading creates no file; only `save` writes.

    Without a file nothing is remembered.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._memories: dict[str, Memory] = {}

    def seen(self, source: str) -> dict[str, Seen]:
        """Return what is known of the documents of a source, by uri."""
        query = "SELECT uri, stamp, digest, refusal, reason FROM documents WHERE source = ?"
        return self._read(query, source, _seen)

    def notes(self, kind: str) -> dict[str, Any]:
        """Return all notes of a kind, by name."""
        query = "SELECT name, value FROM notes WHERE kind = ?"
        return self._read(query, kind, json.loads)

    def memory(self, source: str) -> "Memory":
        """Return what a source itself remembers; what it adds is written by the next `save`."""
        if source not in self._memories:
            self._memories[source] = Memory(self.notes(f"memory {source}"))
        return self._memories[source]

    def save(self, scan: Scan) -> None:
        """Write down a scan in one transaction."""
        notes = scan.notes | {
            f"memory {source}": dict(memory)
            for source, memory in self._memories.items()
            if memory.changed
        }
        if self._file is None or not (scan.documents or notes):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write(self._file, scan.documents, notes)
        except sqlite3.DatabaseError as error:
            discard_if_damaged(self._file, error)

    @staticmethod
    def _write(
        file: Path,
        documents: dict[tuple[str, str], Seen | None],
        notes: dict[str, dict[str, Any]],
    ) -> None:
        with closing(sqlite3.connect(file)) as database, database:
            database.executescript(_SCHEMA)
            database.execute("BEGIN")
            database.executemany(
                _PUT_DOCUMENT,
                (
                    (*key, seen.stamp, seen.digest, seen.refusal, seen.reason)
                    for key, seen in documents.items()
                    if seen is not None
                ),
            )
            gone = (key for key, seen in documents.items() if seen is None)
            database.executemany(_DROP_DOCUMENT, gone)
            for kind, values in notes.items():
                database.execute("DELETE FROM notes WHERE kind = ?", (kind,))
                rows = ((kind, name, json.dumps(value)) for name, value in values.items())
                database.executemany(_PUT_NOTE, rows)

    def _read(self, query: str, of: str, value_of: Callable[..., _Value]) -> dict[str, _Value]:
        """Return rows by their first column, the others made a value of."""
        if self._file is None or not self._file.exists():
            return {}
        try:
            with closing(sqlite3.connect(self._file)) as database:
                return {name: value_of(*row) for name, *row in database.execute(query, (of,))}
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            discard_if_damaged(self._file, error)
            return {}


def _seen(stamp: str, digest: str, refusal: str | None, reason: str) -> Seen:
    return Seen(stamp, digest, RefusalCode(refusal) if refusal else None, reason)


def discard_if_damaged(file: Path, error: Exception) -> None:
    """Remove a file that only saves work and cannot be read; leave one that is merely locked."""
    code = getattr(error, "sqlite_errorcode", None)
    # Without a code it was a value that cannot be read; the lowest byte is the kind of error.
    damaged = code is None or code & 0xFF in _DAMAGED
    log.warning("%s %s: %s.", "Discarding" if damaged else "Not using", file, error)
    if damaged:
        remove_database(file)


def remove_database(file: Path) -> None:
    """Remove a SQLite database with the files beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


class Memory(MutableMapping[str, str]):
    """What a source remembers between runs, such as the ETag of a page. Losing it costs reading."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.changed = False

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __setitem__(self, key: str, value: str) -> None:
        self.changed = self.changed or self._values.get(key) != value
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self.changed = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
