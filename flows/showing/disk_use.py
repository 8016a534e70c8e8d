"""How much disk a knowledge base uses, by walking folders; what vanishes meanwhile counts as 0."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes on the disk that holds `home`.

    `index` holds every snapshot that is kept. `adapters` are weights, registered or being trained.
    `mlflow` is its database, which all knowledge bases share, and the rest of this one's artifacts;
    a tracking server keeps both elsewhere, then they are 0. `free` is what is left to us.
    """

    index_bytes: int
    adapters_bytes: int
    mlflow_bytes: int
    free_bytes: int


def disk_use(home: Path, kb: str) -> DiskUse:
    """Return what a knowledge base uses below `home`; nothing is there before the first release."""
    artifacts = list(_files(home / "mlartifacts" / kb))
    weights = sum(size for name, size in artifacts if name.endswith(".safetensors"))
    database = sum(_size(home / f"mlflow.db{end}") for end in ("", "-wal", "-shm"))
    tables = (path for path in _folders(home / "index") if _belongs(path.name, kb))
    return DiskUse(
        index_bytes=sum(_bytes(path) for path in tables),
        adapters_bytes=weights + _bytes(home / "kb" / kb / "trainings"),
        mlflow_bytes=database + sum(size for _, size in artifacts) - weights,
        free_bytes=_free(home),
    )


def _belongs(table: str, kb: str) -> bool:
    """Return whether a folder is a table of a knowledge base: its first, or a later generation.

    >>> [_belongs(name, "docs") for name in ("docs.lance", "docs.2.lance", "docs-2.lance")]
    [True, True, False]
    """
    name, dot, generation = table.removesuffix(".lance").partition(".")
    return table.endswith(".lance") and name == kb and (not dot or generation.isdigit())


def _bytes(folder: Path) -> int:
    return sum(size for _, size in _files(folder))


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield every file below a folder by name and size; links are not followed."""
    for entry in _entries(folder):
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry.name, entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue


def _folders(folder: Path) -> Iterator[Path]:
    return (Path(each.path) for each in _entries(folder) if each.is_dir(follow_symlinks=False))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _free(folder: Path) -> int:
    """Return what is free where a folder is, or would be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free
