"""At the end of a session: how many faults were provoked, and whether that was as promised."""

from collections.abc import Iterator, Sequence

import pytest

from flows.journal import reserve
from tests.faults.disks import SMALL_RESERVE
from tests.faults.tally import TALLY, counted, short_of

_DESELECTED = pytest.StashKey[int]()


@pytest.fixture(autouse=True, scope="session")
def small_reserve() -> None:
    """Let journals keep little room for themselves: hundreds of them lie on the disk at once."""
    reserve.RESERVE_BYTES = SMALL_RESERVE


@pytest.fixture(scope="module")
def prefect_server() -> Iterator[None]:
    """Have runs of this process be kept by a Prefect server, with its database in a file."""
    # seconds that most tests need not wait for
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=240):
            yield


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note that this is not the whole suite."""
    for item in items[:1]:
        item.config.stash[_DESELECTED] = item.config.stash.get(_DESELECTED, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole run of the suite that provoked less than was promised."""
    if _is_whole(session.config) and session.exitstatus == pytest.ExitCode.OK and short_of(TALLY):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Say how often what was provoked; of a whole run, what is short of the promise."""
    del exitstatus
    if not TALLY and not _is_whole(config):
        return
    kinds = ", ".join(f"{count} {what}" for what, count in sorted(TALLY.items()))
    terminalreporter.write_line(f"Faults provoked: {kinds}.")
    done = counted(TALLY)
    in_all = f"{done['deterministic kills']} deterministic, {done['kills by chance']} by chance"
    terminalreporter.write_line(f"Kills in all: {in_all}.")
    for lack in short_of(TALLY) if _is_whole(config) else ():
        terminalreporter.write_line(f"FAULTS MISSING: {lack}.", red=True)


def _is_whole(config: pytest.Config) -> bool:
    """Return whether all tests were asked for: no path, no expression, no earlier failures."""
    asked = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return asked and not config.stash.get(_DESELECTED, 0) and not config.option.collectonly
