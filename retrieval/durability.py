"""Bytes that stay after a power cut. Standard library only; a POSIX file system is expected."""

import os
from pathlib import Path


def make_durable(folder: Path) -> None:
    """Sync every file below a folder, then the folders, innermost first, then the two above.

    Files before folders: a name must never reach the disk before what it names. Clean files cost
    microseconds, so nothing has to remember which ones are new.
    """
    for inner, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(inner, name))
    for inner, _, _ in os.walk(folder, topdown=False):
        _sync(Path(inner))
    for above in folder.absolute().parents[:2]:  # they may have been made together with it
        _sync(above)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
