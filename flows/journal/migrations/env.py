"""What alembic runs: the steps that are due, in the transaction that it was given."""

from alembic import context

from flows.journal.tables import MIGRATION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=MIGRATION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
