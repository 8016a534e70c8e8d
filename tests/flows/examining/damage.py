"""Ways to damage a place, and to put it back: one bit of a file, one bit of a journal's entry."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

COLUMNS = ("time", "kb", "kind", "key", "payload", "previous", "digest")


@contextmanager
def wrong_bit(file: Path, seed: int) -> Iterator[None]:
    """Let one bit of a file be wrong for the length of the block."""
    before = file.read_bytes()
    file.write_bytes(_flipped(before, seed))
    try:
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def wrong_bit_in_an_entry(journal: Path, seed: int) -> Iterator[int]:
    """Let one bit of one value of one entry be wrong; yield the entry's sequence."""
    rng = random.Random(seed)  # noqa: S311 - a place, not a secret
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        [(count,)] = database.execute("SELECT count(*) FROM entries").fetchall()
        sequence, column = rng.randint(1, count), rng.choice(COLUMNS)
        rows = database.execute("SELECT * FROM entries WHERE sequence = ?", (sequence,))
        names = [each[0] for each in rows.description]
        row = dict(zip(names, rows.fetchone(), strict=True))
        kind, before = row["kind"], row[column]
        if not before:  # an empty value has no bit
            column, before = "kind", kind
        after = _flipped(before.encode(), seed).decode("latin-1")
        _write(database, sequence, column, after)
        try:
            yield sequence
        finally:
            _write(database, sequence, column, before)


def _write(database: sqlite3.Connection, sequence: int, column: str, value: str) -> None:
    statement = f"UPDATE entries SET {column} = ? WHERE sequence = ?"  # noqa: S608 - ours
    database.execute(statement, (value, sequence))


def _flipped(content: bytes, seed: int) -> bytes:
    bit = random.Random(seed).randrange(8 * len(content))  # noqa: S311 - a place, not a secret
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)
