"""Switch one guard off in a copy of the tree and see its tests go red: `make guards`.

A guard that nothing would miss is not held by the suite. `guards.toml` lists them: the line that
guards, what stands there with the guard switched off, and the tests that must notice. They run on
a copy, first as it is (all must pass), then once for each guard (at least one must fail).

Words after the name of this module choose guards: those whose promise or file holds one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent.parent
GUARDS = Path(__file__).with_name("guards.toml")
_COPIED = ("flows", "monitors", "training", "retrieval", "tests", "examples", "docs", "benchmarks")
_FILES = ("pyproject.toml", "prefect.yaml", "README.md", "CHANGELOG.md")
_PASSED, _FAILED = 0, 1  # pytest's exit statuses; any other means that the tests did not run
# Of one file or test; the slowest take a minute. What was off may have been all that ends them.
_MOST_SECONDS = 300.0
_MOST_LINES = 30  # of what red tests say, where none should be red


class Outcome(StrEnum):
    """What came of a guard that was switched off; all but the first are a defect of the suite."""

    NOTICED = "noticed"
    MISSED = "MISSED"  # every test still passes
    UNTRIED = "UNTRIED"  # the tests did not run to an end, so they say nothing


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: what it promises, its text in a file, the text without it, and its tests."""

    promise: str
    file: str
    on: str
    off: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of tests: pytest's exit status, None if it did not end, and what it said."""

    status: int | None
    said: str


def read_guards() -> tuple[Guard, ...]:
    """Return every guard, in the order of the file."""
    told = tomllib.loads(GUARDS.read_text(encoding="utf-8"))
    return tuple(Guard(**{**each, "tests": tuple(each["tests"])}) for each in told["guard"])


def chosen(guards: Sequence[Guard], words: Sequence[str]) -> tuple[Guard, ...]:
    """Return the guards whose promise or file holds one of the words, in either case; or all."""
    wanted = [word.lower() for word in words]
    return tuple(
        guard
        for guard in guards
        if not wanted or any(word in f"{guard.promise} {guard.file}".lower() for word in wanted)
    )


def outcome(status: int | None) -> Outcome:
    """Return what an exit status of pytest says about a guard that was off.

    >>> [str(outcome(status)) for status in (1, 0, 2, None)]
    ['noticed', 'MISSED', 'UNTRIED', 'UNTRIED']
    """
    if status == _FAILED:
        return Outcome.NOTICED
    return Outcome.MISSED if status == _PASSED else Outcome.UNTRIED


def try_guards(guards: Sequence[Guard], console: Console, root: Path = ROOT) -> bool:
    """Switch each off in a copy of `root`, and say what came of it; return if all were noticed.

    Nothing is tried where an edit does not apply any more, or a test is red with every guard on.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = _copy(root, Path(folder))
        if gone := [guard for guard in guards if _times(tree, guard) != 1]:
            for guard in gone:
                told = f"{guard.on!r} stands {_times(tree, guard)} times in {guard.file}, not once"
                console.print(f"GONE     {guard.promise}: {told}.", markup=False)
            return False
        if not _all_pass(tree, guards, console):
            return False
        outcomes = [_tried(tree, guard, n, console) for n, guard in enumerate(guards, 1)]
    noticed = outcomes.count(Outcome.NOTICED)
    console.print(f"{noticed} of {len(guards)} guards are noticed when they are off.")
    return noticed == len(guards)


def main(words: Sequence[str]) -> int:
    """Try every guard, or those that the words choose; return 1 unless each of them is noticed."""
    console = Console(stderr=True)
    guards = chosen(read_guards(), words)
    if not guards:
        console.print(f"No guard's promise or file holds {' or '.join(map(repr, words))}.")
        return 1
    return 0 if try_guards(guards, console) else 1


def _copy(root: Path, folder: Path) -> Path:
    for name in filter(lambda name: (root / name).is_dir(), _COPIED):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in filter(lambda name: (root / name).is_file(), _FILES):
        shutil.copy(root / name, folder / name)
    return folder


def _times(tree: Path, guard: Guard) -> int:
    """Return how often what guards stands in its file."""
    file = tree / guard.file
    return file.read_text(encoding="utf-8").count(guard.on) if file.is_file() else 0


def _all_pass(tree: Path, guards: Sequence[Guard], console: Console) -> bool:
    everything = sorted({test for guard in guards for test in guard.tests})
    console.print(f"{len(guards)} guards. First their tests with every guard on ...")
    begun = time.monotonic()
    ran = _run(tree, everything)
    console.print(f"{time.monotonic() - begun:.1f} s", highlight=False)
    if ran.status != _PASSED:
        console.print("\n".join(ran.said.splitlines()[-_MOST_LINES:]), markup=False)
        console.print("The tests fail with every guard on: see them pass first.")
    return ran.status == _PASSED


def _tried(tree: Path, guard: Guard, number: int, console: Console) -> Outcome:
    begun = time.monotonic()
    with _switched_off(tree, guard):
        came = outcome(_run(tree, guard.tests).status)
    seconds = time.monotonic() - begun
    console.print(f"{number:3}  {came:8} {seconds:6.1f} s  {guard.promise}", highlight=False)
    return came


@contextmanager
def _switched_off(tree: Path, guard: Guard) -> Iterator[None]:
    file = tree / guard.file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(guard.on, guard.off), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def _run(tree: Path, tests: Sequence[str]) -> Ran:
    """Run tests in a tree, whose packages come first for the processes that they start too."""
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    # A file, since whatever the tests started and left would keep a pipe open.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            ran = subprocess.run(
                command,
                cwd=tree,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_MOST_SECONDS * len(tests),
            )
        except subprocess.TimeoutExpired:
            return Ran(None, "")
        said.seek(0)
        return Ran(ran.returncode, said.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
