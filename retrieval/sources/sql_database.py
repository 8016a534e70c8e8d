"""Databases opened for reading only, whatever the query says."""

import math
import os
import re
import sqlite3
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine, Executable, Row, create_engine, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import QueuePool

from retrieval.errors import SourceUnreachableError
from retrieval.sources.folder import stamp_of

BATCH_ROWS = 50  # held at once: each may carry a text of max_bytes
_SQLITE_STEPS = 10_000  # between two looks at the clock
_SQLITE_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_SQLITE_REFUSED_FUNCTIONS = {"load_extension", "fts3_tokenizer"}
_SECRET_NAMES = re.compile("pass|secret|token|key", re.IGNORECASE)


class Database:
    """Runs one SELECT at a time, in a transaction that is read only and rolled back.

    `timeout_seconds` is for each statement and each batch of its rows.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._url = _parse(url)
        self._timeout_seconds = timeout_seconds
        self._clock = _Clock(timeout_seconds)
        self._engine = self._open()
        weakref.finalize(self, self._engine.dispose)

    @property
    def identity(self) -> str:
        """Which database it is, without who asks: `postgresql://host:5432/name`."""
        url = self._url
        shown = URL.create(
            url.get_backend_name(), host=url.host, port=url.port, database=url.database
        )
        return shown.render_as_string()

    @property
    def dialect(self) -> str:
        """`postgresql`, `sqlite`, `mysql`."""
        return self._url.get_backend_name()

    def rows(self, statement: Executable) -> Iterator[Row[tuple[object, ...]]]:
        """Yield the rows as the database hands them over, few at once.

        Raises SQLAlchemyError; `said` puts it into words.
        """
        with self._engine.connect() as connection:
            if self.dialect == "postgresql":
                milliseconds = str(math.ceil(self._timeout_seconds * 1000))
                connection.execute(select(func.set_config("statement_timeout", milliseconds, True)))
            self._clock.restart()
            result = connection.execution_options(yield_per=BATCH_ROWS).execute(statement)
            for batch in result.partitions():
                yield from batch
                self._clock.restart()

    def said(self, error: SQLAlchemyError) -> str:
        """Return the database's own words on one line, without a password."""
        words = str(getattr(error, "orig", None) or error).strip()
        line = " ".join(words.split())
        for secret in self._secrets():
            line = line.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return line[:500].rstrip(".")

    def lost(self, error: SQLAlchemyError) -> bool:
        """True if no statement would get an answer now: no connection, no file, a lock, damage."""
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        return isinstance(error, OperationalError | DisconnectionError) or (
            self.dialect == "sqlite" and type(error) is DatabaseError
        )

    def file_stamp(self) -> str | None:
        """Return what changes with every commit to a SQLite file; None for other databases.

        The times of files are too coarse for two commits in a row, so SQLite's own counters are
        part of it: in the file's header and, with a write-ahead log, in that of its index.
        """
        if self.dialect != "sqlite":
            return None
        path = self._sqlite_path()
        try:
            parts = [stamp_of(path.stat()), _bytes_of(path, 24, 4)]
            for ending in ("-wal", "-journal"):
                beside = path.with_name(path.name + ending)
                parts.append(_content_stamp(beside.stat()) if beside.exists() else "")
            shared = path.with_name(path.name + "-shm")
            parts.append(_bytes_of(shared, 0, 48) if shared.exists() else "")
        except OSError as error:
            msg = f"The database {str(path)!r} cannot be read: {error.strerror}."
            raise SourceUnreachableError(msg) from error
        return " ".join(parts)

    def close(self) -> None:
        """Close every connection; another statement opens a new one."""
        self._engine.dispose()

    def _open(self) -> Engine:
        if self.dialect == "sqlite":
            connect = partial(_connect_sqlite, self._sqlite_path(), self._clock)
            return create_engine(
                "sqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True
            )
        options = {"pool_pre_ping": True, "hide_parameters": True}
        try:
            if self.dialect == "postgresql":
                engine = create_engine(self._url, connect_args=self._libpq(), **options)
                return engine.execution_options(postgresql_readonly=True)
            return create_engine(self._url, **options)
        except (NoSuchModuleError, ImportError) as error:
            msg = (
                f"No driver for {self._url.drivername!r} databases is installed. Install one that "
                "SQLAlchemy knows, for PostgreSQL `psycopg[binary]`."
            )
            raise SourceUnreachableError(msg) from error

    def _libpq(self) -> dict[str, int | str]:
        # The statement's time-out is the server's: a line that went dead is noticed on this side.
        return {
            "client_encoding": "utf8",
            "connect_timeout": max(2, math.ceil(self._timeout_seconds)),
            "tcp_user_timeout": math.ceil(self._timeout_seconds * 1000),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        }

    def _sqlite_path(self) -> Path:
        return Path(self._url.database or "")

    def _secrets(self) -> list[str]:
        named = [
            str(value) for name, value in self._url.query.items() if _SECRET_NAMES.search(name)
        ]
        return [secret for secret in (self._url.password, *named) if secret]


@dataclass
class _Clock:
    """When the statement that runs now has to end."""

    seconds: float
    deadline: float = math.inf

    def restart(self) -> None:
        self.deadline = time.monotonic() + self.seconds

    def ended(self) -> bool:
        return time.monotonic() > self.deadline


def _connect_sqlite(path: Path, clock: _Clock) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        timeout=clock.seconds,
        check_same_thread=False,  # the pool hands it to one thread at a time
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.text_factory = _text_or_bytes
    connection.set_authorizer(_authorize)
    connection.set_progress_handler(clock.ended, _SQLITE_STEPS)
    return connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Neither the text nor the cause is shown: a password may be anywhere in it.
        msg = (
            "Not a database's address. Write it as postgresql://user@host/name or as "
            "sqlite:////folder/file.db."
        )
        raise ValueError(msg) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and _names_no_file(parsed.database):
        msg = "A SQLite source is a file that exists: write it as sqlite:////folder/file.db."
        raise ValueError(msg)
    return parsed


def _names_no_file(database: str | None) -> bool:
    return not database or database == ":memory:" or database.startswith("file:")


def _text_or_bytes(raw: bytes) -> str | bytes:
    """SQLite keeps any bytes as text: what is not UTF-8 is left to the parser."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _authorize(
    action: int, first: str | None, second: str | None, _schema: str | None, _view: str | None
) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in _SQLITE_REFUSED_FUNCTIONS
    elif action == sqlite3.SQLITE_PRAGMA:
        allowed = first == "read_uncommitted" and second is None  # SQLAlchemy asks when it connects
    else:
        allowed = action in _SQLITE_ALLOWED
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _content_stamp(status: os.stat_result) -> str:
    # Without ctime: even a reader makes SQLite set the owner and mode of its log again.
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _bytes_of(path: Path, begin: int, count: int) -> str:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(count).hex()
