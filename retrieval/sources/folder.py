"""A folder of files as a source. Follows no link out of the folder and opens only regular files."""

import os
import re
import stat
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.folder_fingerprint import SETTLED_NANOSECONDS, folder_fingerprint
from retrieval.sources.patterns import DOCUMENTS, Patterns

READ_TRIES = 3  # a file that changes while it is read is read again, twice
# NONBLOCK: a pipe put in the place of a file must not hang us. NOFOLLOW: nor may a link lead out.
_LEADS_OUT = "it is a link that leads out of the source folder"
_FILE_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY


def uri_from_path(path: str) -> str:
    r"""Return a path as valid Unicode that `path_from_uri` takes back byte for byte.

    Bytes of a file name that are not UTF-8 are written %XX; a % that could be read as one is
    written %25. Every other name stays as it is.

    >>> uri_from_path("a/100%.md"), uri_from_path("a/%41.md"), uri_from_path("caf\udce9.md")
    ('a/100%.md', 'a/%2541.md', 'caf%E9.md')
    """
    guarded = re.sub(r"%(?=[0-9A-Fa-f]{2})", "%25", path)
    return re.sub(r"[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", guarded)


def path_from_uri(uri: str) -> str:
    r"""Return the path that `uri_from_path` wrote.

    >>> path_from_uri("caf%E9.md"), path_from_uri("a/%2541.md"), path_from_uri("a/100%.md")
    ('caf\udce9.md', 'a/%41.md', 'a/100%.md')
    """
    encoded = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda pair: bytes([int(pair[1], 16)]), os.fsencode(uri)
    )
    return os.fsdecode(encoded)


class FolderSource:
    """Files below a root, chosen by gitignore-style patterns. Hidden files are left out.

    A uri is the path below the root with forward slashes. Links to files and folders inside the
    root are followed, each folder once; links that lead out are refused.
    """

    def __init__(
        self,
        root: Path,
        *,
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
    ) -> None:
        self._root = root
        self._patterns = Patterns(include, exclude)
        self._max_bytes = max_bytes

    def fingerprint(self) -> str | None:
        """Return a digest of names, sizes, times and inodes; None for one that changed just now."""
        return folder_fingerprint(self._real_root(), self._patterns.skip)

    def list_documents(self) -> Listing:
        """Walk the folder. A sub-folder that cannot be read makes the listing partial."""
        root = self._real_root()
        place = os.stat(root)  # noqa: PTH116 a path may hold any bytes
        walk = _Walk(root, self._patterns, self._max_bytes)
        walk.walk()
        return Listing(
            tuple(sorted(walk.entries, key=lambda entry: entry.uri)),
            Completeness.PARTIAL if walk.denied else Completeness.COMPLETE,
            tuple(sorted(walk.refused, key=lambda refusal: refusal.uri)),
            reason="a folder in it cannot be listed" if walk.denied else "",
            identity=f"{place.st_dev}:{place.st_ino}",
        )

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a listed file, read in one piece while it stood still."""
        if unless is not None and entry.stamp == unless:
            return None
        try:
            return self._read_steady(path_from_uri(entry.uri))
        except FileNotFoundError as error:
            reason = "it was there when the folder was listed and is gone now"
            raise DocumentRefusedError(RefusalCode.VANISHED, reason) from error
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason) from error

    def _real_root(self) -> str:
        try:
            root = os.path.realpath(self._root, strict=True)
            os.close(os.open(root, _FOLDER_FLAGS))
        except OSError as error:
            msg = f"The source folder {str(self._root)!r} cannot be listed: {error.strerror}."
            raise SourceUnreachableError(msg) from error
        return root

    def _read_steady(self, path: str) -> Body:
        root = self._real_root()
        real = os.path.realpath(os.path.join(root, path), strict=True)  # noqa: PTH118 surrogates
        if not _is_below(root, real):
            raise DocumentRefusedError(RefusalCode.LINK_OUTSIDE, _LEADS_OUT)
        for _ in range(READ_TRIES):
            before, data, after = self._read_once(root, os.path.relpath(real, root))
            if _identity(before) == _identity(after) and len(data) == after.st_size:
                settled = after.st_ctime_ns < time.time_ns() - SETTLED_NANOSECONDS
                stamp = stamp_of(after) if settled else None
                return Body(data, stamp, modified_at=_moment(after.st_mtime))
        reason = f"it changed while it was read, {READ_TRIES} times"
        raise DocumentRefusedError(RefusalCode.CHANGING, reason)

    def _read_once(self, root: str, path: str) -> tuple[os.stat_result, bytes, os.stat_result]:
        with os.fdopen(_open_beneath(root, path), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise DocumentRefusedError(RefusalCode.NOT_A_FILE, "it is not a regular file")
            if before.st_size > self._max_bytes:
                raise DocumentRefusedError(
                    RefusalCode.TOO_BIG, _too_big(before.st_size, self._max_bytes)
                )
            data = file.read(self._max_bytes + 1)
            return before, data, os.fstat(file.fileno())


@dataclass
class _Walk:
    """One listing while it is made: folders first, links to folders when all real ones are seen.

    Links come last so that a folder is listed under its own name whenever that is listed at all.
    """

    root: str
    patterns: Patterns
    max_bytes: int
    entries: list[Entry] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    denied: bool = False
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _folders: list[str] = field(default_factory=lambda: [""])
    _links: list[str] = field(default_factory=list)

    def walk(self) -> None:
        while self._folders or self._links:
            if not self._folders:
                self._links.sort(reverse=True)
                self._folders.append(self._links.pop())
            self._list_folder(self._folders.pop())

    def _list_folder(self, folder: str) -> None:
        """List one folder; `folder` is its path below the root, ending in / unless it is empty."""
        try:
            status = os.stat(self._absolute(folder))  # noqa: PTH116 a path may hold any bytes
            if (status.st_dev, status.st_ino) in self._seen:
                return
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(self._absolute(folder)) as items:
                for item in items:
                    self._take(folder + item.name, item)
        except OSError as error:
            self.denied = True
            self._refuse(
                folder, RefusalCode.LIST_DENIED, f"the folder cannot be listed: {error.strerror}"
            )

    def _take(self, path: str, item: os.DirEntry[str]) -> None:
        if item.name.startswith("."):
            return
        try:
            if item.is_symlink():
                self._take_link(path)
            elif item.is_dir():
                self._take_folder(path, self._folders)
            elif self.patterns.choose(path):
                self._take_file(path, item.stat())
        except OSError as error:
            reason = f"it cannot be looked at: {error.strerror}"
            self._refuse(path, RefusalCode.UNREADABLE, reason)

    def _take_link(self, path: str) -> None:
        target = os.path.realpath(self._absolute(path))
        leads_out = not _is_below(self.root, target)
        if os.path.isdir(target):  # noqa: PTH112 a path may hold any bytes
            self._take_folder(path, self._links, leads_out=leads_out)
        elif self.patterns.choose(path) and leads_out:
            self._refuse(path, RefusalCode.LINK_OUTSIDE, _LEADS_OUT)
        elif self.patterns.choose(path):
            self._take_file(path, os.stat(self._absolute(path)))  # noqa: PTH116 any bytes

    def _take_folder(self, path: str, waiting: list[str], *, leads_out: bool = False) -> None:
        folder = path + "/"
        if self.patterns.skip(folder):
            return
        if leads_out:
            self._refuse(folder, RefusalCode.LINK_OUTSIDE, _LEADS_OUT)
        else:
            waiting.append(folder)

    def _take_file(self, path: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            self._refuse(path, RefusalCode.NOT_A_FILE, "it is a pipe, a socket or a device")
        elif status.st_size > self.max_bytes:
            self._refuse(path, RefusalCode.TOO_BIG, _too_big(status.st_size, self.max_bytes))
        else:
            self.entries.append(
                Entry(
                    uri_from_path(path),
                    status.st_size,
                    _moment(status.st_mtime),
                    stamp_of(status),
                )
            )

    def _refuse(self, path: str, code: RefusalCode, reason: str) -> None:
        self.refused.append(Refusal(uri_from_path(path or "./"), code, reason))

    def _absolute(self, path: str) -> str:
        return f"{self.root}/{path}"


def _open_beneath(root: str, path: str) -> int:
    """Open a file step by step from the root, so that no folder on the way can become a link."""
    *folders, name = path.split("/")
    here = os.open(root, _FOLDER_FLAGS)
    try:
        for step in folders:
            below = os.open(step, _FOLDER_FLAGS, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, _FILE_FLAGS, dir_fd=here)
    finally:
        os.close(here)


def _is_below(root: str, path: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def stamp_of(status: os.stat_result) -> str:
    """Return what differs once a file's bytes do: ctime, which no program can set back, too."""
    return (
        f"{status.st_dev}:{status.st_ino}:{status.st_size}:"
        f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    )


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _too_big(size: int, limit: int) -> str:
    return f"it has {size:,} bytes; the limit is {limit:,}"


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a clock gone mad is no reason to refuse a document
