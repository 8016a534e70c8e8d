"""What is damaged in trainings that wait for their verdict: rows, adapters and checkpoints.

Nothing of it answers, and the next `driftline retrain` makes all of it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from flows.desk import Desk
from flows.examining.verification import Depth, Notes
from training.errors import TrainingError
from training.fitting.checkpoints import MANIFEST, work_folder
from training.models.adapter_files import read_adapter

_EXAMPLES_MANIFEST = "examples.json"
_EXAMPLES_ROWS = "examples.parquet"


def look_at_trainings(desk: Desk, depth: Depth, notes: Notes) -> None:
    """Note the rows, adapters and checkpoints that are not what was written.

    What was never finished is no damage: the run that was killed over it, or the next, goes on.
    """
    for training in sorted((desk.folder / "trainings").glob("*/")):
        for folder, wrong in _damaged(training, depth, notes):
            notes.found(
                "TRAINING_CORRUPT",
                folder,
                wrong,
                answers="all that answered before: nothing in this folder answers",
                cure=f"remove it; `driftline retrain {desk.name}` makes it again",
            )


def _damaged(training: Path, depth: Depth, notes: Notes) -> Iterator[tuple[Path, str]]:
    """Yield each damaged folder of a training, and how one can tell."""
    parts = [(training / "examples", _EXAMPLES_MANIFEST), (training / "adapter", "driftline.json")]
    work = work_folder(training / "adapter")
    parts += [(step, MANIFEST) for step in sorted(work.glob("step-*/"))]
    for folder, manifest in parts:
        if not folder.is_dir():
            continue
        notes.checked["trainings"] += 1
        if manifest == _EXAMPLES_MANIFEST:
            wrong = _rows_damage(folder, depth)
        else:
            wrong = _checkpoint_damage(folder) or _adapter_damage(folder)
        if wrong:
            yield folder, wrong


def _rows_damage(folder: Path, depth: Depth) -> str:
    if not (folder / _EXAMPLES_MANIFEST).exists():
        return ""  # written last
    if depth is Depth.FULL:
        # pyarrow, for those who read it all
        from training.examples.example_files import read_examples

        try:
            read_examples(folder)
        except TrainingError as error:
            return str(error)
        return ""
    try:
        told = json.loads((folder / _EXAMPLES_MANIFEST).read_bytes())["sha256"]
        return _difference(folder / _EXAMPLES_ROWS, told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{_EXAMPLES_MANIFEST} cannot be read: {error}"


def _checkpoint_damage(folder: Path) -> str:
    """Return what is wrong with a checkpoint by its manifest, "" if it has none any more."""
    if not (folder / MANIFEST).exists():
        return ""  # of a training that is done, and weighs it as an adapter
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        if f"step-{int(told['step']):06}" != folder.name:
            return f"{MANIFEST} is of another step"
        files = dict(told["files"])
        return next(filter(None, (_difference(folder / n, files[n]) for n in sorted(files))), "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{MANIFEST} cannot be read: {error}"


def _adapter_damage(folder: Path) -> str:
    try:
        read_adapter(folder)
    except TrainingError as error:
        return str(error)
    return ""


def _difference(file: Path, digest: str) -> str:
    try:
        with file.open("rb") as opened:
            there = file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return f"{file.name} cannot be read: {error.strerror}"
    return "" if there == digest else f"{file.name} hashes to {there[:12]}, it was {digest[:12]}"
