"""The journal's database, SQLite or PostgreSQL: opened, read, and written by one at a time.

Errors of the database end here, as errors with a code; no password is in any of them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.errors import JournalCorruptError, JournalUnavailableError, SettingsError
from flows.failpoints import reach
from flows.journal import copy as journal_copy
from flows.journal.reserve import Reserve

# A writer that waits longer than this for another says so.
BUSY_SECONDS = 20
# A PostgreSQL session that was stopped within a transaction is ended by the server after this.
_STOPPED_SECONDS = 30
_CONNECT_SECONDS = 10
# Of this program's own choosing; all that write a journal in one database take the same lock.
_ADVISORY_LOCK = 0x6472_6966_746C
# What a disk that is full or read-only makes SQLite say.
_UNWRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR")


class Database:
    """Connections to the journal. `name` shows where it is, without a password.

    A SQLite file on a disk that takes no writes is read through a copy in memory.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self.name = self._url.render_as_string(hide_password=True)
        self._unwritable: str | None = None
        self._engine = self._opened()

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, None for a server's or one in memory."""
        named = self._url.database if self._url.get_backend_name() == "sqlite" else None
        return Path(named) if named and named != ":memory:" else None

    @property
    def is_copy(self) -> bool:
        """True if the disk takes no writes, and a copy in memory is read."""
        return self._unwritable is not None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def reading(self, *, whole: bool = False) -> Iterator[sa.Connection]:
        """Yield a connection; `whole` if what is read by several queries must be of one moment.

        Raises JournalUnavailableError or JournalCorruptError.
        """
        with self._told(), self._engine.connect() as connection:
            if whole:
                sqlite = connection.dialect.name == "sqlite"
                begin = "BEGIN" if sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                connection.exec_driver_sql(begin)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One write transaction, and no other at the same time: the chain has one writer.

        The lock is taken at once, never later. Raises JournalUnavailableError where it is not to
        be had, or the disk takes no writes.
        """
        if self._unwritable is not None:
            raise JournalUnavailableError(self._unwritable)
        if self.file is not None:
            Reserve.beside(self.file).draw()
        with self._told(), self._engine.connect() as connection, connection.begin():
            _lock(connection)
            yield connection
            reach("journal.committing")
        reach("journal.committed")

    def fall_back(self, error: Exception) -> None:
        """Read a copy in memory from now on, because the disk takes no writes; else raise on."""
        unwritable = isinstance(error, PermissionError | OSError) or _says_unwritable(error)
        if self.file is None or not unwritable:
            raise error
        self._engine.dispose()
        self._unwritable = (
            f"The journal {str(self.file)!r} cannot be written: {_words(error)}. Nothing was "
            "changed, and what answers still answers; `driftline status` and other commands that "
            "only read work. Make room, or make the disk writable, and run it again."
        )
        try:
            self._engine = journal_copy.engine_of_copy(self.file)
        except (sqlite3.Error, OSError) as failed:
            raise JournalUnavailableError(self._unwritable) from failed

    @contextmanager
    def copying(self) -> Iterator[sa.Connection]:
        """One write transaction on the copy in memory: to bring it to the newest format."""
        with self._engine.connect() as connection, connection.begin():
            _lock(connection)
            yield connection

    def _opened(self) -> sa.Engine:
        sqlite = self._url.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS}
        if not sqlite:
            arguments = {"connect_timeout": _CONNECT_SECONDS, "application_name": "driftline"}
        try:
            # Of an error's parameters, a payload would be among what is shown.
            engine = sa.create_engine(
                self._url, connect_args=arguments, hide_parameters=True, pool_pre_ping=not sqlite
            )
        except ImportError as error:
            msg = f"The journal {self.name!r} needs a driver: pip install 'driftline[postgresql]'."
            raise JournalUnavailableError(msg) from error
        if sqlite:
            sa.event.listen(engine, "connect", _configure_sqlite)
        return engine

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError) as error:
            msg = (
                f"The journal {self.name!r} cannot be used now: {_words(error)}. Nothing was "
                "changed by this, and what answers still answers. Run it again when the journal "
                "can be reached; `driftline doctor` looks for the cause."
            )
            raise JournalUnavailableError(msg) from error
        except sa.exc.DatabaseError as error:
            if type(error.orig) is not sqlite3.DatabaseError:
                raise
            msg = (
                f"The journal {self.name!r} cannot be read: {_words(error)}. What answers still "
                "answers. Put the newest good copy in its place; `driftline history --verify` "
                "says whether it is whole."
            )
            raise JournalCorruptError(msg) from error


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        msg = "The journal's url is not one: write postgresql://USER@HOST:PORT/DATABASE."
        raise SettingsError(msg) from None  # the cause would show it, with its password
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    # For this transaction alone, so that it holds behind a pooler too.
    told = {
        "lock_timeout": f"{BUSY_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{_STOPPED_SECONDS}s",
        "synchronous_commit": "on",
    }
    for name, value in told.items():
        connection.execute(sa.select(sa.func.set_config(name, value, True)))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: the journal does, with the write lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    deadline = time.monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # Two that start a database at once: this one lock is not waited for by SQLite itself.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    cursor.close()


def _says_unwritable(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, JournalUnavailableError) else error
    named = getattr(getattr(cause, "orig", cause), "sqlite_errorname", "")
    return str(named).startswith(_UNWRITABLE)


def _words(error: Exception) -> str:
    """Return the database's own words on one line."""
    cause = error.__cause__ if isinstance(error, JournalUnavailableError) else error
    said = " ".join(str(getattr(cause, "orig", None) or cause).split())
    return said[:300].rstrip(".") or type(error).__name__
