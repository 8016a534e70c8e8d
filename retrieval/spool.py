"""The chunks of a plan and their vectors, on disk until they are committed. Knows SQLite alone.

A plan may hold a million chunks; memory holds a thousand. The file has no name in the file system:
it is gone with the process, killed or not.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from retrieval.embedders import Vector
from retrieval.records import Chunk, Flag, embedded_text

BATCH = 1_000  # rows held in memory at once
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SCHEMA = """
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, id TEXT, uri TEXT, ordinal INTEGER, title TEXT, headings TEXT,
    text TEXT, digest TEXT, document_digest TEXT, media_type TEXT, modified_at INTEGER,
    trust TEXT, flags TEXT, reading_order TEXT
);
CREATE TABLE texts (number INTEGER PRIMARY KEY, digest TEXT UNIQUE, vector BLOB);
"""
_ADD_CHUNK = "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_TEXT = "INSERT OR IGNORE INTO texts (number, digest) VALUES (?, ?)"
_NEXT_DIGESTS = (
    "SELECT number, digest FROM texts WHERE vector IS NULL AND number > ? ORDER BY number LIMIT ?"
)
_NEXT_TEXTS = (
    "SELECT t.number, t.digest, c.headings, c.text FROM texts t JOIN chunks c USING (number) "
    "WHERE t.vector IS NULL AND t.number > ? ORDER BY t.number LIMIT ?"
)
_NEXT_ROWS = (
    "SELECT c.*, t.vector FROM chunks c JOIN texts t USING (digest) "
    "WHERE c.number > ? ORDER BY c.number LIMIT ?"
)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A chunk and its vector; with a document's first chunk, the ids of all in reading order."""

    chunk: Chunk
    vector: Vector
    order: tuple[str, ...] | None


class Spool:
    """Chunks in the order they came, and one place for the vector of each distinct text."""

    def __init__(self) -> None:
        # Arrow asks for batches from a thread of its own; never two at once.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        # One transaction for its whole life: nothing here has to survive the process.
        self._database.execute("BEGIN")
        self._added = 0

    def add(self, chunks: Iterable[Chunk], order: Sequence[str]) -> None:
        """Take in chunks of one document, with the ids of all of its chunks in reading order."""
        numbered = list(enumerate(chunks, self._added + 1))
        self._added += len(numbered)
        self._database.executemany(
            _ADD_CHUNK, [(number, *_values(chunk, order)) for number, chunk in numbered]
        )
        self._database.executemany(
            _ADD_TEXT, [(number, chunk.digest) for number, chunk in numbered]
        )

    @property
    def chunks(self) -> int:
        """Count of chunks."""
        return self._added

    @property
    def missing(self) -> int:
        """Count of distinct texts that have no vector yet."""
        return self._count("SELECT count(*) FROM texts WHERE vector IS NULL")

    def missing_digests(self) -> Iterator[list[str]]:
        """Yield the digests of the texts that have no vector yet, up to a thousand at a time."""
        for rows in self._pages(_NEXT_DIGESTS, BATCH):
            yield [digest for _, digest in rows]

    def missing_texts(self, size: int) -> Iterator[dict[str, str]]:
        """Yield what the embedder has to read, by digest, `size` at a time as documents have it."""
        for rows in self._pages(_NEXT_TEXTS, size):
            yield {
                digest: embedded_text(tuple(json.loads(headings)), text)
                for _, digest, headings, text in rows
            }

    def keep(self, vectors: Mapping[str, Vector]) -> None:
        """Give texts their vectors."""
        self._database.executemany(
            "UPDATE texts SET vector = ? WHERE digest = ?",
            [(vector.tobytes(), digest) for digest, vector in vectors.items()],
        )

    def rows(self) -> Iterator[list[Row]]:
        """Yield the chunks with their vectors, up to a thousand at a time; every text has one."""
        for rows in self._pages(_NEXT_ROWS, BATCH):
            yield [
                Row(
                    _chunk(row[1:-2]),
                    np.frombuffer(row[-1], dtype=np.float32),
                    None if row[-2] is None else tuple(json.loads(row[-2])),
                )
                for row in rows
            ]

    def close(self) -> None:
        """Give the disk back."""
        self._database.close()

    @contextmanager
    def closed_by_an_error(self) -> Iterator[None]:
        """Close it if what is done inside fails; else it stays open for whoever comes next."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _pages(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield pages of a query whose first column is the number it is ordered by."""
        last = 0
        while page := self._database.execute(query, (last, size)).fetchall():
            last = page[-1][0]
            yield page

    def _count(self, query: str) -> int:
        return int(self._database.execute(query).fetchone()[0])


def _values(chunk: Chunk, order: Sequence[str]) -> tuple[object, ...]:
    moment = chunk.modified_at
    return (
        chunk.id,
        chunk.uri,
        chunk.ordinal,
        chunk.title,
        json.dumps(chunk.headings),
        chunk.text,
        chunk.digest,
        chunk.document_digest,
        chunk.media_type,
        None if moment is None else (moment - _EPOCH) // _MICROSECOND,
        chunk.trust,
        " ".join(chunk.flags),
        json.dumps(order) if chunk.ordinal == 0 else None,
    )


def _chunk(row: tuple[Any, ...]) -> Chunk:
    moment = row[9]
    fields = [
        *row[:4],
        tuple(json.loads(row[4])),
        *row[5:9],
        None if moment is None else _EPOCH + moment * _MICROSECOND,
        row[10],
        tuple(map(Flag, row[11].split())),
    ]
    return Chunk(*fields)
