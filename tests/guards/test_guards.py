"""That every guard of `guards.toml` can be switched off, and that `make guards` tells the truth."""

import ast
import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.guards.switched_off import ROOT, Guard, chosen, main, read_guards, try_guards

GUARDS = read_guards()
LIMIT = "def limited(count: int) -> int:\n    if count > 3:\n        return 3\n    return count\n"
NOTICES = "from flows.limit import limited\n\ndef test_it():\n    assert limited(4) == 3\n"
OVERLOOKS = NOTICES.replace("limited(4) == 3", "limited(3) == 3")
RED = NOTICES.replace("limited(4) == 3", "limited(4) == 4")


def test_there_are_at_least_25_and_each_promises_something_else():
    promises = {guard.promise for guard in GUARDS}

    assert len(promises) == len(GUARDS) >= 25


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.promise)
def test_a_guard_stands_once_in_its_file_and_has_tests(guard: Guard):
    text = (ROOT / guard.file).read_text(encoding="utf-8")

    assert text.count(guard.on) == 1
    assert guard.off != guard.on
    assert guard.tests
    assert all(is_there(test) for test in guard.tests)


def is_there(test: str) -> bool:
    """Whether a file of tests is there, and the test that is named in it if one is."""
    file, _, name = test.partition("::")
    read = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return not name or any(
        isinstance(each, ast.FunctionDef) and each.name == name.partition("[")[0]
        for each in read.body
    )


def place(folder: Path, test: str) -> Guard:
    """Make a tree of one package with one guard, and the test that is to miss it."""
    for name, text in {"flows/limit.py": LIMIT, "tests/test_limit.py": test}.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    return Guard("Never over 3", "flows/limit.py", "if count > 3:", "if False:", ("tests",))


@pytest.mark.parametrize(
    ("test", "off", "noticed", "told"),
    [
        pytest.param(NOTICES, "if False:", True, "1 of 1 guards", id="noticed"),
        pytest.param(OVERLOOKS, "if False:", False, "MISSED", id="missed"),
        pytest.param(NOTICES, "if", False, "UNTRIED", id="switched-off-by-a-mistake"),
        pytest.param(RED, "if False:", False, "with every guard on", id="red-before"),
    ],
)
def test_a_guard_that_no_test_misses_is_told(
    tmp_path: Path, test: str, off: str, *, noticed: bool, told: str
):
    there, said = place(tmp_path, test), io.StringIO()
    guard = Guard(there.promise, there.file, there.on, off, there.tests)

    done = try_guards([guard], Console(file=said, width=200), tmp_path)

    assert done is noticed
    assert told in said.getvalue()
    assert (tmp_path / "flows/limit.py").read_text() == LIMIT


@pytest.mark.parametrize("on", ["if count > 4:", "count"], ids=["gone", "more-than-once"])
def test_an_edit_that_does_not_apply_any_more_is_told_and_nothing_is_run(tmp_path: Path, on: str):
    there, said = place(tmp_path, RED), io.StringIO()
    guard = Guard(there.promise, there.file, on, there.off, there.tests)

    done = try_guards([guard], Console(file=said, width=200), tmp_path)

    assert not done
    assert "GONE     Never over 3" in said.getvalue()
    assert "with every guard on" not in said.getvalue()


def test_words_choose_guards_by_promise_and_by_file_in_either_case():
    found = chosen(GUARDS, ["MASS REMOVAL", "web_address"])

    assert {guard.promise for guard in found} == {
        "A mass removal waits for a person",
        "Half of a small source is a mass removal too",
        "A private address is not asked",
    }
    assert chosen(GUARDS, []) == GUARDS


def test_words_that_choose_nothing_are_no_success():
    assert main(["no such guard"]) == 1
