"""The journal's tables, as the newest format has them."""

from __future__ import annotations

import sqlalchemy as sa

# A database that is shared with MLflow or Prefect has their `alembic_version` in it.
MIGRATION_TABLE = "driftline_migration"

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
    sa.Column("ticks", sa.Float, nullable=False, server_default="0"),
)
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("kb", sa.String, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("time", sa.String, nullable=False),
    sa.Column("until", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("settled", sa.String),
    sa.UniqueConstraint("kind", "key", name="outbox_once"),
)
# What a program reads before anything else: older ones refuse a number that they do not know.
formats = sa.Table("format", metadata, sa.Column("version", sa.Integer, primary_key=True))
# alembic's own note of the same.
migrations = sa.Table(
    MIGRATION_TABLE, metadata, sa.Column("version_num", sa.String(32), primary_key=True)
)
