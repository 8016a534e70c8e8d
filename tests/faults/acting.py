"""What a forked process does: one command of Driftline on a place, disturbed where it is told.

What it said lies in the place's folder `told`, whether it came to its end or not.
"""

import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import FrameType
from typing import Any, Self

import flows.desk
from flows import cli
from flows.failpoints import arm, reach
from flows.journal import lease
from tests.faults.invariants import Broken, check_invariants
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.place import Step, judge_better, stand_in
from training import failpoints as in_training

TOLD = "told"
_SEEN = "seen.json"
_REACHES = {reach.__code__, in_training.reach.__code__}


@dataclass(frozen=True)
class Act:
    """One command in a place, and what is to disturb it: a failpoint's order, another clock.

    `looks` has the process look at the place afterwards: outcome, invariants, failpoints reached.
    `ttl_seconds` is how long a lease lives without a beat, which then never comes.
    """

    folder: Path
    arguments: tuple[str, ...]
    order: str = ""
    days_on: float = 0
    better: bool = False
    looks: bool = False
    accepted: tuple[str, ...] = ()
    ttl_seconds: float | None = None


@dataclass(frozen=True)
class Looked:
    """What a process found in a place after its command."""

    outcome: Outcome
    broken: tuple[Broken, ...]
    reached: tuple[str, ...] = field(default=())


def act(asked: Act) -> None:
    """Do it in this process, and exit with the command's status."""
    _prepare(asked.days_on, better=asked.better)
    if asked.ttl_seconds is not None:
        lease.TTL_SECONDS, lease.BEAT_SECONDS = asked.ttl_seconds, 1e6
    reached: list[str] = []
    if asked.looks:
        _trace(reached)
    arm(asked.order)
    status = _run(asked)
    arm("")
    sys.setprofile(None)
    if asked.looks:
        look(asked.folder, asked.accepted, reached)
    sys.exit(status)


def look(folder: Path, accepted: tuple[str, ...] = (), reached: list[str] | None = None) -> None:
    """Write down how a place stands."""
    seen = Looked(
        outcome_of(folder),
        tuple(check_invariants(folder, accepted=accepted)),
        tuple(reached or ()),
    )
    (folder / _SEEN).write_text(json.dumps(asdict(seen)), encoding="utf-8")


def looked(folder: Path) -> Looked:
    """Return what a process wrote down last."""
    seen = json.loads((folder / _SEEN).read_text(encoding="utf-8"))
    return Looked(
        Outcome.of(seen["outcome"]),
        tuple(Broken(**each) for each in seen["broken"]),
        tuple(seen["reached"]),
    )


def build(step: Step, folder: Path) -> None:
    """Take a place one step on in its life."""
    _prepare(0, better=False)
    step(folder)


def _prepare(days_on: float, *, better: bool) -> None:
    # The server this process is forked from imports LanceDB and never uses it.
    warnings.filterwarnings("ignore", message="lancedb fork support", category=RuntimeWarning)
    os.environ["DRIFTLINE_FAILPOINT"] = ""
    stand_in()
    if better:
        judge_better()
    if days_on:
        ahead, true_time = timedelta(days=days_on), time.time
        vars(flows.desk)["datetime"] = _clock(ahead)
        time.time = lambda: true_time() + ahead.total_seconds()


def _clock(ahead: timedelta) -> type[datetime]:
    """Return a class whose now is another one."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + ahead

    return Shifted


def _run(asked: Act) -> int:
    told = asked.folder / TOLD
    told.mkdir(exist_ok=True)
    name = f"{len(list(told.glob('*.err'))):03}-{os.getpid()}"
    for descriptor, ending in ((1, "out"), (2, "err")):
        file = os.open(told / f"{name}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.dup2(file, descriptor)
        os.close(file)
    settings = str(asked.folder / "driftline.toml")
    status = cli.run(["--config", settings, *asked.arguments])
    sys.stdout.flush()
    cpu = sum(os.times()[:4])
    ended = {"arguments": asked.arguments, "status": int(status), "cpu_seconds": round(cpu, 2)}
    (told / f"{name}.json").write_text(json.dumps(ended), encoding="utf-8")
    return int(status)


def _trace(reached: list[str]) -> None:
    """Note each failpoint that this process reaches, without a word of the code about it."""

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in _REACHES:
            reached.append(frame.f_locals["name"])

    profile: Callable[[FrameType, str, Any], object] = note
    sys.setprofile(profile)
    threading.setprofile(profile)
