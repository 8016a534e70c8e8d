"""The journal's format: a fresh database is made, an older one migrated, a newer one refused."""

from __future__ import annotations

import sqlalchemy as sa

from flows.errors import JournalUnavailableError, NewerJournalError
from flows.journal import copy as journal_copy
from flows.journal import tables
from flows.journal.database import Database

FORMAT = 2


def bring_up_to_date(database: Database) -> None:
    """Make the journal one of the newest format; of several processes at once, one does it.

    A database that is up to date is only read. Raises NewerJournalError before anything is
    written. Where the disk takes no writes, a copy in memory is brought up to date.
    """
    try:
        if _is_newest(database):
            return
        if database.file is not None:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        with database.writing() as connection:
            _migrate(connection, database)
    except (JournalUnavailableError, OSError) as error:
        database.fall_back(error)
        with database.copying() as connection:
            _migrate(connection, database)


def _is_newest(database: Database) -> bool:
    if database.file is not None and not database.file.exists():
        return False
    with database.reading() as connection:
        return _version(connection) == FORMAT


def _version(connection: sa.Connection) -> int | None:
    """Return the format that a database has, None if it has none yet; refuse one from later."""
    if not sa.inspect(connection).has_table(tables.formats.name):
        return None
    version = connection.scalar(sa.select(tables.formats.c.version))
    if version is None:
        return None
    if version > FORMAT:
        msg = (
            f"The journal has format {version}, this Driftline knows {FORMAT}. "
            "Nothing was written; install the newer Driftline that wrote it."
        )
        raise NewerJournalError(msg)
    return int(version)


def _migrate(connection: sa.Connection, database: Database) -> None:
    """Under the write lock: what another process did meanwhile is found done."""
    version = _version(connection)
    if version == FORMAT:
        return
    if version is None:
        tables.metadata.create_all(connection)
        connection.execute(tables.formats.insert().values(version=FORMAT))
        connection.execute(tables.migrations.insert().values(version_num=str(FORMAT)))
        return
    if database.file is not None and not database.is_copy:
        journal_copy.back_up(database.file, version)
    _upgrade(connection, version)
    connection.execute(sa.update(tables.formats).values(version=FORMAT))


def _upgrade(connection: sa.Connection, version: int) -> None:
    """Run the migrations that follow a format, in the transaction of the caller."""
    # Only here: it takes as long to import as `driftline status` takes in all.
    from alembic import command
    from alembic.config import Config

    tables.migrations.create(connection, checkfirst=True)
    if connection.scalar(sa.select(tables.migrations.c.version_num)) is None:
        # Format 1 was made before there was anything to migrate.
        connection.execute(tables.migrations.insert().values(version_num=str(version)))
    config = Config()
    config.set_main_option("script_location", "flows.journal:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, str(FORMAT))
