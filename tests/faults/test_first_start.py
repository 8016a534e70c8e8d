"""Four processes that start on nothing at once find their way, on SQLite and on PostgreSQL."""

from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from flows.journal.journal import open_journal
from tests.faults.forking import PROCESSES
from tests.faults.harness import LONGEST_SECONDS
from tests.faults.tally import FIRST_STARTS, FIRST_STARTS_ON_A_SERVER, TALLY
from tests.retrieval.postgres import Postgres, postgres  # noqa: F401 a fixture

pytestmark = pytest.mark.slow

PROCESSES_AT_ONCE = 4
ENTRIES_EACH = 5


def write_entries(url: str, start: Barrier, name: str) -> None:
    """Open a journal when all the others do, and write some entries."""
    from datetime import UTC, datetime  # noqa: PLC0415 - by the forked process

    start.wait()
    with open_journal(url) as journal:
        for number in range(ENTRIES_EACH):
            payload = {"of": name, "number": number}
            journal.append("docs", "note", payload, time=datetime(2026, 1, 1, tzinfo=UTC))


def entries_after_a_first_start(url: str) -> tuple[list[int | None], int, int | None]:
    """Return how four first starts at once ended, the count of entries, the first broken one."""
    start = PROCESSES.Barrier(PROCESSES_AT_ONCE)
    started = [
        PROCESSES.Process(target=write_entries, args=(url, start, str(at)))
        for at in range(PROCESSES_AT_ONCE)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(LONGEST_SECONDS)
    on_a_server = url.startswith("postgresql")
    TALLY[FIRST_STARTS_ON_A_SERVER if on_a_server else FIRST_STARTS] += PROCESSES_AT_ONCE
    with open_journal(url) as journal:
        count = journal.count("docs", "note")
        return [process.exitcode for process in started], count, journal.first_broken()


@pytest.mark.parametrize("attempt", range(3))
def test_four_processes_start_on_no_database(attempt: int, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'new' / 'journal.db'}"

    ended, count, broken = entries_after_a_first_start(url)

    assert ended == [0] * PROCESSES_AT_ONCE
    assert (count, broken) == (PROCESSES_AT_ONCE * ENTRIES_EACH, None)


@pytest.mark.parametrize("attempt", range(3))
def test_four_processes_start_on_an_empty_postgresql_database(attempt: int, postgres: Postgres):  # noqa: F811 the fixture
    url = postgres.create_database(f"first_start_{attempt}")

    ended, count, broken = entries_after_a_first_start(
        url.replace("postgresql://", "postgresql+psycopg://")
    )

    assert ended == [0] * PROCESSES_AT_ONCE
    assert (count, broken) == (PROCESSES_AT_ONCE * ENTRIES_EACH, None)
