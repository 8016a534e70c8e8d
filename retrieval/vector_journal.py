"""Vectors that were just made, kept until they are committed, so that a kill repeats few of them.

It only saves work: a damaged journal is thrown away. Knows SQLite alone.
"""

import sqlite3
import zlib
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from retrieval.embedders import Vector
from retrieval.scan_cache import discard_if_damaged, remove_database

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors "
    "(embedder TEXT, digest TEXT, vector BLOB, checksum INTEGER, PRIMARY KEY (embedder, digest))"
)


class VectorJournal:
    """Vectors by embedder and text digest, each batch on disk before the next is made.

    Without a file nothing is kept.
    """

    def __init__(self, file: Path | None, embedder: str) -> None:
        self._file = file
        self._embedder = embedder

    def find(self, digests: Collection[str]) -> dict[str, Vector]:
        """Return the vectors that an earlier, unfinished run left of these texts."""
        if self._file is None or not self._file.exists():
            return {}
        try:
            return self._find(self._file, digests)
        except sqlite3.DatabaseError as error:
            discard_if_damaged(self._file, error)
            return {}

    def keep(self, vectors: Mapping[str, Vector]) -> None:
        """Write a batch; it is there after a kill."""
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            (self._embedder, digest, data := vector.tobytes(), _checksum(digest, data))
            for digest, vector in vectors.items()
        ]
        try:
            self._write(self._file, rows)
        except sqlite3.DatabaseError as error:
            discard_if_damaged(self._file, error)

    def clear(self) -> None:
        """Forget everything: what was journaled is in the index now."""
        if self._file is not None:
            remove_database(self._file)

    def _write(self, file: Path, rows: list[tuple[str, str, bytes, int]]) -> None:
        with closing(_open(file)) as database, database:
            database.execute(_SCHEMA)
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def _find(self, file: Path, digests: Collection[str]) -> dict[str, Vector]:
        query = "SELECT digest, vector, checksum FROM vectors WHERE embedder = ? AND digest = ?"
        with closing(_open(file)) as database:
            rows = [
                row
                for digest in digests
                for row in database.execute(query, (self._embedder, digest))
            ]
        return {
            digest: np.frombuffer(data, dtype=np.float32)
            for digest, data, checksum in rows
            if _checksum(digest, data) == checksum
        }


def _checksum(digest: str, data: bytes) -> int:
    """Return what shows that a vector, or the text it is said to be of, was damaged."""
    return zlib.crc32(data, zlib.crc32(digest.encode()))


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    # WAL without a sync at each commit: safe against a kill, which is what this is for.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    return database
