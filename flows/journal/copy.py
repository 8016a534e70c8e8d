"""Copies of a SQLite journal: one in memory, for a disk that takes no writes, and a backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa


def engine_of_copy(file: Path) -> sa.Engine:
    """Return a database in memory with what a file holds, nothing if there is no file.

    Raises sqlite3.Error or OSError where it cannot even be read.
    """
    memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    if file.exists():
        _fill(memory, file)
    return sa.create_engine("sqlite://", creator=lambda: memory, poolclass=sa.pool.StaticPool)


def back_up(file: Path, version: int) -> Path:
    """Copy a database beside it, whole or not at all; return the copy's name.

    Others may read meanwhile, and the caller holds its write lock.
    """
    kept = file.with_name(f"{file.name}.format-{version}")
    draft = kept.with_name(f"{kept.name}.part")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
    for place in (draft, draft.parent):
        opened = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
        if place == draft:
            draft.replace(kept)
    return kept


def _fill(memory: sqlite3.Connection, file: Path) -> None:
    """Copy with the writers' lock if that can be had, else what lies on the disk."""
    try:
        _backup(f"{file.absolute().as_uri()}?mode=ro", memory)
    except sqlite3.OperationalError:
        with _lying(file) as readable:
            _backup(readable, memory)


@contextmanager
def _lying(file: Path) -> Iterator[str]:
    """Yield the address of a database that cannot be locked: of a copy if its log holds more."""
    log = file.with_name(f"{file.name}-wal")
    if not log.exists() or not log.stat().st_size:
        yield f"{file.absolute().as_uri()}?immutable=1"
        return
    with tempfile.TemporaryDirectory(prefix="driftline-") as folder:
        for each in (file, log):
            shutil.copyfile(each, Path(folder, each.name))
        yield Path(folder, file.name).as_uri()


def _backup(address: str, memory: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(address, uri=True)) as source:
        source.backup(memory)
