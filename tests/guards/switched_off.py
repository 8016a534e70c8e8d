"""Switch one guard off in a copy of the tree and see its tests go red: `make guards`.

A guard that nothing would miss is not held by the suite. `guards.toml` lists them: the line that
guards, what stands there with the guard switched off, and the tests that must notice. They run on
a copy, first as it is (all must pass), then once for each guard (at least one must fail).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parent.parent.parent
GUARDS = Path(__file__).with_name("guards.toml")
_COPIED = ("flows", "monitors", "training", "retrieval", "tests", "examples", "docs", "benchmarks")
_PASSED, _FAILED = 0, 1  # pytest's exit statuses; any other means that the tests did not run


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: what it promises, its text in a file, the text without it, and its tests."""

    promise: str
    file: str
    on: str
    off: str
    tests: tuple[str, ...]


def read_guards() -> tuple[Guard, ...]:
    """Return every guard, in the order of the file."""
    told = tomllib.loads(GUARDS.read_text(encoding="utf-8"))
    return tuple(Guard(**{**each, "tests": tuple(each["tests"])}) for each in told["guard"])


def main(words: Sequence[str]) -> int:
    """Try every guard, or those whose promise holds one of the words; return 1 if one is missed."""
    chosen = [g for g in read_guards() if not words or any(word in g.promise for word in words)]
    console, missed = Console(stderr=True), []
    with tempfile.TemporaryDirectory() as folder:
        tree = _copy(Path(folder))
        everything = sorted({test for guard in chosen for test in guard.tests})
        if _run(tree, everything) != _PASSED:
            console.print("The tests fail with every guard on: see them pass first.")
            return 1
        for guard in track(chosen, "Switching off", console=console):
            with _switched_off(tree, guard):
                noticed = _run(tree, guard.tests) == _FAILED
            console.print(f"{'noticed' if noticed else '[red]MISSED[/red]'}  {guard.promise}")
            missed += [] if noticed else [guard]
    console.print(f"{len(chosen) - len(missed)} of {len(chosen)} guards are noticed when off.")
    return 1 if missed else 0


def _copy(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "prefect.yaml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextmanager
def _switched_off(tree: Path, guard: Guard) -> Iterator[None]:
    file = tree / guard.file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(guard.on, guard.off), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def _run(tree: Path, tests: Sequence[str]) -> int:
    """Run tests in a tree, whose packages come first for the processes that they start too."""
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
