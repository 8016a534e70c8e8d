"""Traces of an erased text out of files: SQLite databases, JSON, Parquet, text. Opens no framework.

What cannot be rewritten is removed: everything here was made from documents, and can be made again
or is not needed to answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flows.erasing.traces import Redactor
from flows.erasing.unpacking import unpacked
from flows.errors import ErasureIncompleteError
from training.files import write_whole

_SQLITE, _PARQUET = b"SQLite format 3\0", b"PAR1"
_BUSY_SECONDS = 20
# What is made anew, and says little with holes in it.
_REMOVED = frozenset({".html", ".part"})

Mine = Callable[[str, dict[str, Any]], bool]
"""True for a row that may be rewritten, given its table and its values by column."""


def kind_of(file: Path) -> bytes:
    """Return the first bytes of a file, which say what it is."""
    with file.open("rb") as opened:
        return opened.read(16)


def is_sqlite(file: Path) -> bool:
    """True for a SQLite database."""
    return kind_of(file) == _SQLITE


def is_parquet(file: Path) -> bool:
    """True for a Parquet file."""
    return kind_of(file)[:4] == _PARQUET


def scrub_file(file: Path, redactor: Redactor) -> None:
    """Rewrite a file without the traces in it, or remove it if it cannot be; others stay as is."""
    if is_sqlite(file):
        scrub_database(file, redactor)
    elif is_parquet(file):
        _scrub_parquet(file, redactor)
    else:
        _scrub_text(file, redactor)


def scrub_database(
    file: Path, redactor: Redactor, *, mine: Mine = lambda _table, _row: True, drop: bool = False
) -> int:
    """Rewrite every text of a SQLite database that has a trace, and give its free pages back.

    With `drop` a row goes as a whole. Returns how many rows changed. What was overwritten is in no
    page and no log afterwards. Raises ErasureIncompleteError where another process holds it.
    """
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as opened:
            opened.execute("PRAGMA secure_delete = ON")
            opened.execute("BEGIN IMMEDIATE")
            changed = sum(
                _scrub_table(opened, table, redactor, mine, drop=drop)
                for table in tables_of(opened)
            )
            opened.execute("COMMIT")
            squeeze(opened)
            return changed
    except sqlite3.OperationalError as error:
        msg = (
            f"The database {str(file)!r} cannot be rewritten now: {error}. The erasure is not "
            "complete; stop what uses it (`driftline up`) and run the same command again."
        )
        raise ErasureIncompleteError(msg) from error


def squeeze(opened: sqlite3.Connection) -> None:
    """Leave no overwritten text in free pages or in the log."""
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.execute("VACUUM")
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def tables_of(opened: sqlite3.Connection) -> list[str]:
    """Return the names of a database's own tables."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in opened.execute(query)]


def rows_of(opened: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, values by column."""
    cursor = opened.execute(f"SELECT * FROM {_quoted(table)}")  # noqa: S608 - quoted
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _scrub_table(
    opened: sqlite3.Connection, table: str, redactor: Redactor, mine: Mine, *, drop: bool
) -> int:
    keys = _keys(opened, table)
    found = [
        (row, changed)
        for row in _with_keys(opened, table, keys)
        if mine(table, row) and (changed := _changed(row, keys, redactor, with_keys=drop))
    ]
    where = " AND ".join(f"{_quoted(key)} IS ?" for key in keys)
    for row, changed in found:
        at = [row[key] for key in keys]
        if drop:
            opened.execute(f"DELETE FROM {_quoted(table)} WHERE {where}", at)  # noqa: S608 - quoted
            continue
        told = ", ".join(f"{_quoted(name)} = ?" for name in changed)
        update = f"UPDATE {_quoted(table)} SET {told} WHERE {where}"  # noqa: S608 - quoted
        opened.execute(update, [*changed.values(), *at])
    return len(found)


def _with_keys(opened: sqlite3.Connection, table: str, keys: list[str]) -> Iterator[dict[str, Any]]:
    if keys != ["rowid"]:
        yield from rows_of(opened, table)
        return
    cursor = opened.execute(f"SELECT rowid AS rowid, * FROM {_quoted(table)}")  # noqa: S608 - quoted
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _keys(opened: sqlite3.Connection, table: str) -> list[str]:
    listed = opened.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    return [name for _, name, _, _, _, key in listed if key] or ["rowid"]


def _changed(
    row: dict[str, Any], keys: list[str], redactor: Redactor, *, with_keys: bool
) -> dict[str, Any]:
    """Return the values of a row that have a trace, as they may stay."""
    return {
        name: redacted
        for name, value in row.items()
        if isinstance(value, str) and (with_keys or name not in keys)
        if (redacted := redactor.written(value)) != value
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _scrub_parquet(file: Path, redactor: Redactor) -> None:
    table = pq.read_table(file)
    kept = [row for row in table.to_pylist() if redactor.value(_plain(row)) == _plain(row)]
    if len(kept) == len(table):
        return
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(kept, schema=table.schema), buffer, compression="zstd")
    write_whole(file, buffer.getvalue().to_pybytes())


def _plain(row: dict[str, Any]) -> Any:
    return json.loads(json.dumps(row, default=str))


def _scrub_text(file: Path, redactor: Redactor) -> None:
    data = file.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        if _holds(file, data, redactor):
            remove(file)
        return
    left = redactor.written(text)
    if left != text and file.suffix in _REMOVED:
        remove(file)
    elif left != text:
        write_whole(file, left.encode())


def _holds(file: Path, data: bytes, redactor: Redactor) -> bool:
    """True for bytes that are no text and have a trace, unpacked if they are an archive."""
    parts = unpacked(file)
    texts = (data.decode("latin-1"),) if parts is None else parts
    return any(map(redactor.traces.in_text, texts))


def remove(file: Path) -> None:
    """Remove a file, and make that last."""
    file.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
