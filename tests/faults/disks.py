"""Small disks of the test's own, to be filled and made read-only. Mounting takes a superuser."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOMY = 1 << 28
SMALL_RESERVE = 1 << 16
"""What the journals of hundreds of places on one disk may keep for themselves."""


@dataclass(frozen=True)
class Disk:
    """A file system in memory, mounted at `folder`."""

    folder: Path

    def resize(self, size: int) -> None:
        """Let it hold so many bytes."""
        _mount(f"remount,size={size}", self.folder)

    def make_writable(self, *, yes: bool) -> None:
        """Have it take writes, or refuse them."""
        _mount("remount,rw" if yes else "remount,ro", self.folder)


@contextmanager
def mounted(folder: Path, size: int = ROOMY) -> Iterator[Disk]:
    """Mount a disk for the length of the block; skip the test where that is not allowed."""
    if shutil.which("mount") is None:
        pytest.skip("no mount on this system")
    folder.mkdir(parents=True, exist_ok=True)
    if _mount(f"size={size}", folder, must=False):
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield Disk(folder)
    finally:
        subprocess.run([str(shutil.which("umount")), "--lazy", folder], check=True)


def _mount(options: str, folder: Path, *, must: bool = True) -> int:
    command = [str(shutil.which("mount")), "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, check=must, capture_output=True).returncode
