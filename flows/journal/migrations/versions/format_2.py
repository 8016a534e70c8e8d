"""Format 2: the outbox, and the beat of a lease by a clock that nobody can set."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "2", "1"


def upgrade() -> None:
    """Add the table of errands and the column of a lease."""
    op.create_table(
        "outbox",
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
    # Old leases have no beat by that clock: 0 is older than any.
    ticks = sa.Column("ticks", sa.Float, nullable=False, server_default="0")
    op.add_column("leases", ticks)
