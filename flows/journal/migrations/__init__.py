"""How a journal of an older format becomes one of the newest: a file a step, run by alembic."""
