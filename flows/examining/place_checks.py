"""Is the folder of everything a good place: room, rights, a disk that keeps its word?"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from flows.examining.examination import Observation, failed, ok, warning
from flows.settings.settings import Settings
from flows.showing.disk_use import disk_use

# The journal's reserve, an MLflow run and a log: with less even saying so may fail.
_LEAST_BYTES = 512 * 2**20
# What is written to them may be gone after a power cut, or was never on a disk.
_FLEETING = {
    "tmpfs": "it is memory, and gone after a restart",
    "ramfs": "it is memory, and gone after a restart",
    "overlay": "it is a container's own layer, and gone with the container",
    "aufs": "it is a container's own layer, and gone with the container",
}
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "fuse.sshfs", "ceph"})
_LARGEST_SKEW_SECONDS = 2.0


def check_room(settings: Settings, free: int | None = None) -> Observation:
    """Observe whether what upkeep and the next refresh write has room: the index once more."""
    used = [disk_use(settings.home_folder, kb) for kb in sorted(settings.kb)]
    left = used[0].free_bytes if free is None else free
    need = max(_LEAST_BYTES, sum(each.index_bytes for each in used))
    said = f"{_mib(left)} are free where {str(settings.home_folder)!r} is"
    if left < need:
        cure = f"free {_mib(need - left)}; `driftline maintain KB` drops versions nothing needs"
        return failed("disk", f"{said}, {_mib(need)} are needed", cure)
    if left < 2 * need:
        return warning("disk", f"{said}, {_mib(need)} are needed", "make room before it is short")
    return ok("disk", said)


def check_file_system(settings: Settings, kind: str | None = None) -> Observation:
    """Observe whether `home` is on a disk that keeps what was synced to it, after a power cut."""
    home = nearest(settings.home_folder)
    found = file_system_of(home) if kind is None else kind
    said = f"{str(home)!r} is on {found or 'an unknown file system'}"
    cure = (
        f"set `home` in {settings.file.name} to a folder on a local disk, or mount a volume there"
    )
    if found in _FLEETING:
        return warning("file system", f"{said}: {_FLEETING[found]}", cure)
    if found in _NETWORK:
        why = "SQLite's locks and syncs are not to be relied on there"
        return warning("file system", f"{said}, over a network: {why}", cure)
    return ok("file system", said)


def check_writing(settings: Settings) -> Observation:
    """Observe whether `home` and the cache can be written, by writing a file and syncing it."""
    for folder in (settings.home_folder, settings.cache):
        there = nearest(folder)
        try:
            with tempfile.NamedTemporaryFile(dir=there, prefix=".driftline-") as file:
                file.write(b"can this be written?")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            status = there.stat()
            said = (
                f"{str(there)!r} cannot be written: {error.strerror}. It belongs to user "
                f"{status.st_uid} with mode {stat.filemode(status.st_mode)}, this is user "
                f"{os.getuid()}"
            )
            return failed("writing", said, f"make it writable, e.g. chown {os.getuid()} {there}")
    return ok("writing", f"{str(settings.home_folder)!r} and {str(settings.cache)!r}")


def check_file_times(settings: Settings, skew: float | None = None) -> Observation:
    """Observe whether a freshly written file has the time that the clock says."""
    there = nearest(settings.home_folder)
    try:
        found = _file_skew(there) if skew is None else skew
    except OSError as error:
        return failed("file times", f"{str(there)!r}: {error.strerror}", "see writing")
    if abs(found) > _LARGEST_SKEW_SECONDS:
        said = f"a file written now in {str(there)!r} is {found:+.0f} s off the clock"
        cure = "set the clock of the machine that holds the disk; edits may be read twice"
        return warning("file times", said, cure)
    return ok("file times", "a file written now has the time of the clock")


def nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def file_system_of(folder: Path, mounts: Iterable[tuple[str, str]] | None = None) -> str:
    """Return the kind of file system that a folder is on, "" if it cannot be told.

    `mounts` are pairs of a mount point and its kind; of several at one point the last counts.

    >>> file_system_of(Path("/srv/docs"), [("/", "ext4"), ("/srv", "nfs4")])
    'nfs4'
    """
    known = mounts or [(each.mountpoint, each.fstype) for each in psutil.disk_partitions(all=True)]
    inside = [
        (len(Path(point).parts), at, kind)
        for at, (point, kind) in enumerate(known)
        if folder == Path(point) or Path(point) in folder.parents
    ]
    return max(inside)[2] if inside else ""


def _file_skew(folder: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".driftline-") as file:
        file.write(b"what time is it?")
        file.flush()
        return os.fstat(file.fileno()).st_mtime - time.time()


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
