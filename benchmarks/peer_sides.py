"""The sides of the comparison: how each is started, and what its refreshes cost step by step."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from comparison import FIRST, MOVED, NOTHING, OURS, UPGRADE, WORD
from corpora import align, longest, move, reword
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "benchmarks" / "peers"
ENVIRONMENT = ROOT / ".bench" / "peers-venv"
MOVES = 25
MEMO = (("COCOINDEX_CHUNK_MEMO", "1"),)
# No threads that spin while they wait, no download, no report to the makers.
QUIET = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "COCOINDEX_DISABLE_USAGE_TRACKING": "true",
    "LANGSMITH_TRACING": "false",
}

Cost = dict[str, float]
Costs = dict[str, dict[str, Cost]]
"""By step, then by side."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison: how its script is started."""

    name: str
    script: str
    python: Path = ENVIRONMENT / "bin" / "python"
    extra: tuple[tuple[str, str], ...] = ()
    searches: bool = True

    def ask(self, *words: str | Path) -> Any:
        """Return the answer of one process; raise SystemExit with what it said if it failed."""
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment = (os.environ if self.name == OURS else inherited) | QUIET | dict(self.extra)
        done = subprocess.run(
            [self.python, SCRIPTS / self.script, *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        if done.returncode:
            msg = f"{self.name} failed at {words[0]}:\n{done.stderr[-2000:]}"
            raise SystemExit(msg)
        return json.loads(done.stdout.strip().splitlines()[-1])


# CocoIndex twice: as its example stands, and with what its handbook offers against its cost there.
SIDES = (
    Side(OURS, "driftline_run.py", Path(sys.executable)),
    Side("LangChain", "langchain_run.py"),
    Side("CocoIndex", "cocoindex_run.py", searches=False),
    Side("CocoIndex + memo", "cocoindex_run.py", extra=MEMO, searches=False),
    Side("LlamaIndex", "llamaindex_run.py"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder of live documents, and the index that each side keeps of it."""

    folder: Path
    sides: Sequence[Side]
    words: tuple[str | Path, ...]
    runs: int

    @property
    def documents(self) -> Path:
        """The live documents; every side sees the same folder at the same place."""
        return self.folder / "documents"

    def measure(self, release: Path, later: Path) -> Costs:
        """Return the cost of each step of an index' life, each from the same settled state."""
        align(release, self.documents)
        costs: Costs = {FIRST: {side.name: self.refresh(side) for side in self.sides}}
        self.settle(release)
        costs[NOTHING] = {
            side.name: middle([self.refresh(side) for _ in range(max(1, 2 * self.runs - 1))])
            for side in self.sides
        }
        reword(longest(self.documents))
        costs[WORD] = self.changed()
        self.settle(release)
        move(self.documents, MOVES)
        costs[MOVED] = self.changed()
        self.settle(release)
        align(later, self.documents)
        costs[UPGRADE] = self.changed()
        return costs

    def changed(self) -> dict[str, Cost]:
        """Return what each side needs for the change at hand, every time from the same state."""
        costs = {}
        for side in self.sides:
            state, before = self.state(side), self.folder / "before"
            shutil.copytree(state, before)
            measured = []
            for _ in range(self.runs):
                shutil.rmtree(state)
                shutil.copytree(before, state)
                measured.append(self.refresh(side))
            shutil.rmtree(before)
            costs[side.name] = middle(measured)
        return costs

    def settle(self, release: Path) -> None:
        """Take every change back, and let each side see that."""
        align(release, self.documents)
        for side in self.sides:
            self.refresh(side)

    def refresh(self, side: Side) -> Cost:
        """Return what one refresh cost."""
        self.state(side).mkdir(exist_ok=True)
        cost: Cost = side.ask("refresh", *self.where(side), *self.words)
        return cost

    def search(self, side: Side, asked: Path) -> list[list[tuple[str, str]]]:
        """Return what a side finds for each question of a file."""
        answer = side.ask("search", *self.where(side), *self.words, "--questions", asked)
        return [[(uri, text) for uri, text in found] for found in answer]

    def where(self, side: Side) -> tuple[str | Path, ...]:
        """Return the words that name the folders."""
        return ("--documents", self.documents, "--state", self.state(side))

    def state(self, side: Side) -> Path:
        """Return where a side keeps its index."""
        return self.folder / side.name.replace(" ", "-")


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each value.

    >>> middle([{"cpu_s": 1.0}, {"cpu_s": 9.0}, {"cpu_s": 2.0}])
    {'cpu_s': 2.0}
    """
    return {key: median(cost[key] for cost in costs) for key in costs[0]}


def install() -> None:
    """Make the peers' environment, once for each content of its requirements."""
    requirements, constraints = SCRIPTS / "requirements.txt", ROOT / "constraints.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + constraints.read_bytes()).hexdigest()
    marker = ENVIRONMENT / "ready"
    if marker.is_file() and marker.read_text("utf-8") == wanted:
        return
    Console().print("Installing the peers into an environment of their own (about a minute) …")
    subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    python = str(ENVIRONMENT / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    listed = ["--constraint", str(constraints), "--requirement", str(requirements)]
    subprocess.run([*pip, *listed], check=True)
    marker.write_text(wanted, "utf-8")
