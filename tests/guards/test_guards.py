"""That every guard of `guards.toml` can be switched off; `make guards` does it."""

import pytest

from tests.guards.switched_off import ROOT, Guard, read_guards

GUARDS = read_guards()


def test_there_are_at_least_25_and_each_promises_something_else():
    promises = {guard.promise for guard in GUARDS}

    assert len(promises) == len(GUARDS) >= 25


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.promise)
def test_a_guard_stands_once_in_its_file_and_has_tests(guard: Guard):
    text = (ROOT / guard.file).read_text(encoding="utf-8")
    files = [ROOT / test.partition("::")[0] for test in guard.tests]

    assert text.count(guard.on) == 1
    assert guard.off != guard.on
    assert files
    assert all(file.is_file() for file in files)
