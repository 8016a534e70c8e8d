"""The journal's format: a fresh and an old database end alike, a newer one is left alone."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from flows.errors import NewerJournalError
from flows.journal import tables
from flows.journal.formats import FORMAT
from flows.journal.journal import Errand, Journal, open_journal
from tests.flows.journal.journals import (
    NOW,
    at_once,
    first_format,
    first_format_on,
    release,
    sqlite_url,
    write,
)
from tests.retrieval.postgres import Postgres, postgres  # noqa: F401 a fixture

Make = Callable[[str], str]
"""Returns the url of a journal of the first format, or of no format yet."""


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "sqlite":
        yield lambda age: first_format(tmp_path) if age == "old" else sqlite_url(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"formats_{request.node.name.partition('[')[0][-40:]}"
    yield (
        lambda age: first_format_on(server, name) if age == "old" else server.create_database(name)
    )


def driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def differences(url: str) -> list[object]:
    """Return what a database's tables have otherwise than the program expects."""
    engine = sa.create_engine(driver(url))
    with engine.connect() as connection:
        options = {"compare_type": True, "version_table": "none of alembic's own"}
        context = MigrationContext.configure(connection, opts=options)
        found: list[object] = compare_metadata(context, tables.metadata)
    engine.dispose()
    return found


def numbers(url: str) -> tuple[object, object]:
    """Return the format that programs read, and alembic's note of it."""
    engine = sa.create_engine(driver(url))
    with engine.connect() as connection:
        read = connection.scalar(sa.select(tables.formats.c.version))
        noted = connection.scalar(sa.select(tables.migrations.c.version_num))
    engine.dispose()
    return read, noted


@pytest.mark.parametrize("age", ["fresh", "old"])
def test_fresh_or_migrated_a_journal_has_the_same_tables(make: Make, age: str):
    url = make(age)

    with open_journal(url):
        pass

    assert differences(url) == []
    assert numbers(url) == (FORMAT, str(FORMAT))


def test_a_journal_of_the_first_format_keeps_what_it_says_and_can_be_written(make: Make):
    url = make("old")

    with open_journal(url) as journal:
        serving, held = journal.serving("docs"), journal.lease("docs")
        journal.append("docs", "check", {}, time=NOW, errands=[Errand("event", "1", {})])
        chain, waiting = journal.verify(), journal.waiting()

    assert serving is not None
    assert (serving.release, serving.reason) == (release(), "first release")
    assert held is not None
    assert (held.epoch, held.holder, held.ticks) == (2, "me", 0.0)
    assert (chain.entries, chain.fault) == (2, None)
    assert [errand.key for errand in waiting] == ["1"]


@pytest.mark.parametrize("age", ["fresh", "old"])
def test_four_processes_open_a_journal_at_once_and_lose_nothing(make: Make, age: str):
    url = make(age)
    before = 1 if age == "old" else 0

    ended = at_once(write, url, processes=4, number=5)

    assert ended == [0, 0, 0, 0]
    assert differences(url) == []
    with open_journal(url) as journal:
        chain = journal.verify()
    assert (chain.entries, chain.fault) == (before + 20, None)


def test_a_file_is_copied_before_it_is_migrated(tmp_path: Path):
    url = first_format(tmp_path)

    with open_journal(url) as journal:
        journal.append("docs", "check", {}, time=NOW)

    with closing(sqlite3.connect(tmp_path / "journal.db.format-1")) as kept:
        assert kept.execute("SELECT version FROM format").fetchone() == (1,)
        assert kept.execute("SELECT count(*) FROM entries").fetchone() == (1,)
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_journal_that_is_up_to_date_is_not_copied(tmp_path: Path):
    for _ in range(2):
        with open_journal(sqlite_url(tmp_path)):
            pass

    assert list(tmp_path.glob("*format*")) == []


def test_a_newer_journal_is_refused_and_left_alone(make: Make):
    url = make("fresh")
    with open_journal(url):
        pass
    engine = sa.create_engine(driver(url))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.formats).values(version=99))
        before = connection.execute(sa.select(tables.entries)).all()

    with pytest.raises(NewerJournalError, match="format 99"):
        Journal(url)

    with engine.connect() as connection:
        assert connection.scalar(sa.select(tables.formats.c.version)) == 99
        assert connection.execute(sa.select(tables.entries)).all() == before
    engine.dispose()


def opened_elsewhere(url: str, *, failpoint: str = "", then: str = "") -> int:
    opened = f"with open_journal({url!r}): {then}"
    code = f"import sys; from flows.journal.journal import open_journal\n{opened}"
    environment = {**os.environ, "DRIFTLINE_FAILPOINT": failpoint}
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-c", code], check=False, env=environment, cwd=root
    ).returncode


def test_a_migration_that_was_killed_is_done_by_the_next_start(make: Make):
    url = make("old")

    died = opened_elsewhere(url, failpoint="journal.committing", then="pass")
    with open_journal(url) as journal:
        chain = journal.verify()

    assert died == -signal.SIGKILL
    assert (chain.entries, chain.fault) == (1, None)
    assert differences(url) == []


def test_a_journal_that_is_up_to_date_opens_without_alembic(tmp_path: Path):
    url = sqlite_url(tmp_path)
    with open_journal(url):
        pass

    told = opened_elsewhere(url, then="sys.exit(7 if 'alembic' in sys.modules else 0)")

    assert told == 0
