"""One digest of everything that a folder holds, by names and stat alone: nothing is opened.

Where it is what it was, no file has changed, and nothing more need be looked at. That is what
most checks find, so this walk costs little more than the system calls it makes.
"""

import hashlib
import marshal
import os
import stat
import time
from collections.abc import Callable

# A file that changed as recently could change again without its times showing it: clocks of file
# systems tick in up to two seconds (FAT), mostly in milliseconds.
SETTLED_NANOSECONDS = 2_000_000_000


def folder_fingerprint(root: str, skip: Callable[[str], bool]) -> str | None:
    """Return the digest; None if a folder cannot be listed, or something changed just now.

    Covers every name that is not hidden, with size, both times, inode and mode; a link also by
    what it leads to. Folders for which `skip` is true, given a path that ends in /, are left out.
    """
    try:
        return _Walk(root, skip).digest()
    except OSError:
        return None  # the listing says what is wrong, and where


class _Walk:
    def __init__(self, root: str, skip: Callable[[str], bool]) -> None:
        self._root = root
        self._skip = skip
        self._whole = hashlib.blake2b(digest_size=32)
        self._newest = 0
        self._seen: set[tuple[int, int]] = set()
        self._folders = [""]

    def digest(self) -> str | None:
        # The wall clock, since that is what the file system's times are taken from.
        limit = time.time_ns() - SETTLED_NANOSECONDS
        while self._folders:
            self._add(self._folders.pop())
        return self._whole.hexdigest() if self._newest < limit else None

    def _add(self, folder: str) -> None:
        place = f"{self._root}/{folder}"
        status = os.stat(place)  # noqa: PTH116 a path may hold any bytes
        if (status.st_dev, status.st_ino) in self._seen:
            return
        self._seen.add((status.st_dev, status.st_ino))
        found: list[tuple[str, int, int, int, int, int]] = []
        newest = self._newest
        with os.scandir(place) as items:
            for item in items:
                name = item.name
                if name[0] == ".":
                    continue
                s = item.stat(follow_symlinks=False)
                if s.st_ctime_ns > newest:  # noqa: PLR1730 max() is a call for each file
                    newest = s.st_ctime_ns
                found.append((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_mode))
        self._newest = newest
        found.sort()
        # Version 2 writes equal values as equal bytes, whatever else refers to them.
        self._whole.update(marshal.dumps((folder, found), 2))
        self._descend(folder, found)

    def _descend(self, folder: str, found: list[tuple[str, int, int, int, int, int]]) -> None:
        for name, *_, mode in reversed(found):
            if stat.S_ISDIR(mode):
                self._visit(f"{folder}{name}/")
            elif stat.S_ISLNK(mode):
                self._follow(f"{folder}{name}")

    def _visit(self, folder: str) -> None:
        if not self._skip(folder):
            self._folders.append(folder)

    def _follow(self, path: str) -> None:
        target = os.path.realpath(f"{self._root}/{path}")
        outside = not target.startswith(self._root.rstrip("/") + "/")
        try:
            s = os.stat(target)  # noqa: PTH116 a path may hold any bytes
        except OSError:
            self._whole.update(marshal.dumps((path, target, None), 2))
            return
        self._newest = max(self._newest, s.st_ctime_ns)
        values = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_mode)
        self._whole.update(marshal.dumps((path, target, values), 2))
        if stat.S_ISDIR(s.st_mode) and not outside:
            self._visit(f"{path}/")
