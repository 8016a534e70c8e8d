"""The journal's tables, and how a SQLite database is opened for them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_BUSY_SECONDS = 20

metadata = sa.MetaData()
entries = sa.Table(
    "entries",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("time", sa.String, nullable=False),
    sa.Column("kb", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Index("entries_by_kind", "kb", "kind", "key", "sequence"),
)
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("renewed", sa.Float, nullable=False),
)
formats = sa.Table("format", metadata, sa.Column("version", sa.Integer, primary_key=True))


def connect_arguments(url: str) -> dict[str, Any]:
    """Return what the driver is to be told: on SQLite to wait for whoever writes."""
    return {"timeout": _BUSY_SECONDS} if url.startswith("sqlite") else {}


def prepare_sqlite(engine: sa.Engine) -> None:
    """Make every connection durable, and leave its transactions to the journal."""

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver must not open transactions by itself: the journal does, with the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()
