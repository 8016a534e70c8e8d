"""Format 1: the chain of entries, and the leases."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "1", None


def upgrade() -> None:
    """Make the tables of the first format."""
    op.create_table(
        "entries",
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("time", sa.String, nullable=False),
        sa.Column("kb", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
    )
    op.create_index("entries_by_kind", "entries", ["kb", "kind", "key", "sequence"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("renewed", sa.Float, nullable=False),
    )
    op.create_table("format", sa.Column("version", sa.Integer, primary_key=True))
