"""The workshop of a session."""

import pytest

from tests.faults.harness import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Return what builds places, each stage once, and knows how an undisturbed run ends."""
    return Workshop(tmp_path_factory.mktemp("workshop"))
