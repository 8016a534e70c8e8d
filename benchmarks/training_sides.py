"""The sides of the training benchmark: what each is, and one of them measured in a fresh process.

On Linux a child's peak memory begins with that of its parent, so the parent computes nothing: what
it needs to import is far less than any model takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median

from rich.console import Console

from training.fitting.jobs import Job, write_job

SCRIPT = Path(__file__).resolve().with_name("bare_training.py")
_TOLD_CHARACTERS = 2_000


class Side(StrEnum):
    """What one child process does."""

    BARE_ALL = "bare loop, all logits"
    BARE = "bare loop, told logits"
    OURS = "ours"
    OURS_PLAIN = "ours, no samples or checkpoints"
    FORWARD_ALL = "bare forward, all logits"
    FORWARD = "bare forward, told logits"
    SCORE_TEXTS = "score, text rows"
    GENERATE = "model.generate"
    SCORE_ANSWERS = "score, answers"
    WEIGH = "score, both models"
    BUILD = "build a model of random weights"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process took: wall and CPU seconds of the whole call, loading the model included.

    `work_seconds` leave loading out. `peak_bytes` are resident memory or, where a GPU computed,
    its own. `device` is "cpu" or the GPU's name, `weights` the count of the base model's.
    """

    seconds: float
    cpu_seconds: float
    work_seconds: float
    tokens: int
    peak_bytes: int
    device: str
    weights: int


def measure(side: Side, job: Job, folder: Path, console: Console) -> Measured:
    """Return what one side took in a fresh process; raise SystemExit with its words if it failed.

    `folder` is a new one, for the job and for what the side writes.
    """
    console.print(f"{side} …", end=" ")
    write_job(job, folder)
    command = [sys.executable, str(SCRIPT), "--measure", side, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{side!s} ended with {done.returncode}: {done.stderr[-_TOLD_CHARACTERS:]}"
        raise SystemExit(msg)
    found = Measured(**json.loads(done.stdout.splitlines()[-1]))
    console.print(f"{found.seconds:.1f} s")
    return found


def middle(runs: list[Measured]) -> Measured:
    """Return the median of each number over the runs of one side.

    >>> runs = [Measured(s, s, s, 9, 1, "cpu", 7) for s in (1.0, 2.0, 6.0)]
    >>> middle(runs).seconds
    2.0
    """
    return Measured(
        seconds=median(run.seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        work_seconds=median(run.work_seconds for run in runs),
        tokens=runs[0].tokens,
        peak_bytes=round(median(run.peak_bytes for run in runs)),
        device=runs[0].device,
        weights=runs[0].weights,
    )
