"""The workshop of a session, and at its end how many faults were provoked."""

import pytest

from tests.faults.harness import TALLY, Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Return what builds places, each stage once, and knows how an undisturbed run ends."""
    return Workshop(tmp_path_factory.mktemp("workshop"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often what was provoked."""
    if TALLY:
        counted = ", ".join(f"{count} {what}" for what, count in sorted(TALLY.items()))
        terminalreporter.write_line(f"Faults provoked in whole flows: {counted}.")
