"""Checkpoints of one training: whole or not there, hashed, pruned. Standard library only.

`ADAPTER.work/step-000040/` holds an adapter and the optimiser beside it. `MANIFEST.json` with the
sha256 of every file is written last; what lacks it, or differs from it, is no checkpoint.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

from training.errors import ModelCorruptError, NoSpaceError
from training.failpoints import reach
from training.files import move_in, write_whole
from training.models.adapter_files import read_adapter
from training.records import Adapter

MANIFEST = "MANIFEST.json"
OPTIMISER = "optimiser.safetensors"
_FORMAT = 1
_STEP = re.compile(r"step-(\d{6,})")
_WRITING = ".writing"
# One may be damaged: then the one before it is the one to resume from.
_LEAST_KEPT = 2
# No space, over the quota, over the largest file that is allowed.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class TrainingKey:
    """What a checkpoint belongs to, as digests: another value of any is another training."""

    base: str
    examples: str
    config: str
    start: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training came: steps and tokens done, and the seconds they took."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    folder: Path
    progress: Progress


def work_folder(folder: Path) -> Path:
    """Return where the checkpoints of the adapter in `folder` lie.

    >>> work_folder(Path("adapters/4f1c")).as_posix()
    'adapters/4f1c.work'
    """
    return folder.with_name(f"{folder.name}.work")


def candidate_adapters(folder: Path) -> tuple[Adapter, ...]:
    """Return the finished adapter, then what its kept checkpoints were, the latest first.

    All are whole adapters, to be weighed and registered like any other; a damaged one is left out.
    """
    final = read_adapter(folder)
    found = [final]
    for _, path in reversed(_steps(work_folder(folder))):
        try:
            adapter = read_adapter(path)
        except ModelCorruptError:
            continue
        if adapter.base_digest == final.base_digest:
            found.append(adapter)
    return tuple(found)


def remove_work(folder: Path) -> None:
    """Remove the checkpoints of the adapter in `folder`, the candidates among them."""
    shutil.rmtree(work_folder(folder), ignore_errors=True)


class Checkpoints:
    """The checkpoints of one training. One process writes; `kept` are left when it is done."""

    def __init__(self, folder: Path, key: TrainingKey, *, kept: int) -> None:
        self._work, self._key, self._kept = work_folder(folder), key, kept

    def newest(self) -> Checkpoint | None:
        """Return the last complete checkpoint of this very training, or None."""
        whole = (self._read(step, path) for step, path in reversed(_steps(self._work)))
        return next((checkpoint for checkpoint in whole if checkpoint), None)

    def clear(self) -> None:
        """Remove whatever is no complete checkpoint of this very training."""
        good = {path for step, path in _steps(self._work) if self._read(step, path)}
        for path in self._work.iterdir() if self._work.is_dir() else ():
            if path not in good:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def require_space(self, size: int) -> None:
        """Raise NoSpaceError unless three checkpoints of `size` bytes fit on the disk.

        Three, because two are kept while another is written.
        """
        self._work.mkdir(parents=True, exist_ok=True)
        needed = 3 * size
        if (free := shutil.disk_usage(self._work).free) < needed:
            msg = (
                f"Training keeps checkpoints of {_megabytes(size)} in {str(self._work)!r} and "
                f"needs {_megabytes(needed)}; {_megabytes(free)} are free. Make room, then "
                "retrain."
            )
            raise NoSpaceError(msg)

    def write(self, progress: Progress, fill: Callable[[Path], None]) -> None:
        """Write a checkpoint whose files `fill` puts in a folder, and remove what is too old.

        On a full disk older ones make room, all but the last; if that is not enough, raise
        NoSpaceError.
        """
        self.within_space(lambda: self._write(progress, fill), progress)
        self._prune(max(_LEAST_KEPT, self._kept))
        reach("checkpoint.pruned")

    def within_space(self, write: Callable[[], None], progress: Progress) -> None:
        """Write; if the disk is full, once more with only the last checkpoint left."""
        try:
            write()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._prune(1)
        else:
            return
        try:
            write()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise NoSpaceError(self._full(progress)) from error

    def deliver(self, folder: Path, progress: Progress, fill: Callable[[Path], None]) -> None:
        """Write the finished adapter to its own folder, whole, and tidy up behind it."""

        def write() -> None:
            made = self._emptied()
            try:
                fill(made)
            except OSError:
                shutil.rmtree(made, ignore_errors=True)
                raise
            _sync(made)
            move_in(made, folder)
            _sync(folder.parent)

        self.within_space(write, progress)
        reach("finished.moved")
        self._tidy()
        reach("finished.tidied")

    def _tidy(self) -> None:
        """Leave what can be weighed: the last adapters, without what only resuming needs."""
        self._prune(self._kept)
        for _, path in _steps(self._work):
            (path / MANIFEST).unlink(missing_ok=True)
            (path / OPTIMISER).unlink(missing_ok=True)
        shutil.rmtree(self._work / _WRITING, ignore_errors=True)
        if self._work.is_dir() and not any(self._work.iterdir()):
            self._work.rmdir()

    def kept_words(self) -> str:
        """Return what is left to go on from, as a sentence."""
        newest = self.newest()
        if newest is None:
            return "No checkpoint was written yet."
        return f"The checkpoint of step {newest.progress.step} is kept in {str(newest.folder)!r}."

    def _full(self, progress: Progress) -> str:
        free = shutil.disk_usage(self._work).free
        return (
            f"The disk of {str(self._work)!r} is full after step {progress.step}: "
            f"{_megabytes(free)} are free. {self.kept_words()} Make room, then retrain: it goes "
            "on from there."
        )

    def _write(self, progress: Progress, fill: Callable[[Path], None]) -> None:
        made = self._emptied()
        try:
            fill(made)
            self._write_manifest(made, progress)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            raise
        _sync(made)
        made.rename(self._work / f"step-{progress.step:06}")
        _sync(self._work)
        reach("checkpoint.moved")

    def _emptied(self) -> Path:
        """Return the one folder that is written in; what a kill left there is gone."""
        made = self._work / _WRITING
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        return made

    def _write_manifest(self, folder: Path, progress: Progress) -> None:
        manifest = {
            "format": _FORMAT,
            **asdict(progress),
            "key": asdict(self._key),
            "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
        }
        write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode())
        reach("checkpoint.manifest")

    def _read(self, step: int, folder: Path) -> Checkpoint | None:
        """Return the checkpoint in a folder, or None if it is not whole or of another training."""
        try:
            found = json.loads((folder / MANIFEST).read_bytes())
            ours = found["format"] == _FORMAT and TrainingKey(**found["key"]) == self._key
            files = dict(found["files"])
            progress = Progress(int(found["step"]), int(found["tokens"]), float(found["seconds"]))
            whole = all(_sha256(folder / name) == digest for name, digest in files.items())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not (ours and whole and progress.step == step):
            return None
        return Checkpoint(folder, progress)

    def _prune(self, kept: int) -> None:
        steps = _steps(self._work)
        for _, path in steps[: max(0, len(steps) - kept)]:
            shutil.rmtree(path, ignore_errors=True)


def _steps(work: Path) -> list[tuple[int, Path]]:
    """Return folders by the step in their names, the first step first."""
    return sorted(_named(work))


def _named(work: Path) -> Iterator[tuple[int, Path]]:
    for path in work.iterdir() if work.is_dir() else ():
        if name := _STEP.fullmatch(path.name):
            yield int(name[1]), path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
