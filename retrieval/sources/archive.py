"""A local zip or tar archive as a source. Nothing is extracted to disk under a name of its own."""

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.folder import stamp_of, uri_from_path
from retrieval.sources.patterns import DOCUMENTS, Patterns

MAX_ENTRIES = 1_000_000
MAX_UNPACKED = 4_000_000_000  # bytes of a compressed tar, which must be unpacked to be listed

_PIECE = 1_048_576
_BLOCK = 512  # bytes of a tar header; one of zeros ends the archive
_DAMAGED = (
    EOFError,
    OSError,
    ValueError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
_PACKED_TAR: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}


def is_unsafe_name(name: str) -> bool:
    r"""True if a name in an archive or a store would lead out of a folder it were put in.

    >>> [is_unsafe_name(name) for name in ("a/b", "../a", "a/../../b", "/a", "C:/a", "a\\..\\b")]
    [False, True, True, True, True, True]
    """
    return name.startswith("/") or name[1:2] == ":" or "\\" in name or ".." in name.split("/")


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of an archive; `problem` says why it cannot be taken."""

    name: str
    size: int
    modified_at: datetime | None
    stamp: str
    key: Any  # what its own library calls it by
    problem: tuple[RefusalCode, str] | None = None


class _Archive(Protocol):
    """An opened archive."""

    reason: str
    """Why the archive is not whole; empty if it is, known once all members were seen."""

    def members(self) -> Iterator[_Member]: ...
    def read(self, member: _Member, max_bytes: int) -> bytes: ...
    def close(self) -> None: ...


class ArchiveSource:
    """Files of a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz, chosen by patterns; no hidden ones.

    The archive stays open from its listing until close(). Archives in archives stay closed.
    """

    def __init__(
        self,
        path: Path,
        *,
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._path = path
        self._patterns = Patterns(include, exclude)
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._archive: _Archive | None = None
        self._members: dict[str, _Member] = {}

    def fingerprint(self) -> str | None:
        """Return the stamp of the archive itself."""
        try:
            return stamp_of(self._path.stat())
        except OSError as error:
            msg = f"The archive {str(self._path)!r} cannot be opened: {error.strerror}."
            raise SourceUnreachableError(msg) from error

    def list_documents(self) -> Listing:
        """List the members. A damaged table of contents makes the archive unreachable."""
        self.close()
        self.fingerprint()
        found = _Found(self._patterns, self._max_bytes)
        try:
            self._archive = _open(self._path)
            for count, member in enumerate(self._archive.members()):
                if count == self._max_entries:
                    found.reason = f"it has more than {self._max_entries:,} members, the limit"
                    break
                found.take(member)
        except _DAMAGED as error:
            msg = f"The archive {str(self._path)!r} cannot be listed: {error}."
            raise SourceUnreachableError(msg) from error
        self._members = found.members
        return found.listing(self._archive.reason, f"archive:{self._path.resolve()}")

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a member, checked against the checksum of a zip."""
        if unless is not None and entry.stamp == unless:
            return None
        if self._archive is None:
            self.list_documents()
        member = self._members.get(entry.uri)
        if member is None or self._archive is None:
            raise DocumentRefusedError(RefusalCode.VANISHED, "it is not in the archive any more")
        try:
            data = self._archive.read(member, self._max_bytes)
        except NotImplementedError as error:
            reason = f"it is packed in a way that cannot be unpacked: {error}"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason) from error
        except RuntimeError as error:
            raise DocumentRefusedError(RefusalCode.ENCRYPTED, _ENCRYPTED) from error
        except _DAMAGED as error:
            reason = f"it is damaged in the archive: {error}"
            raise DocumentRefusedError(RefusalCode.DAMAGED, reason) from error
        return Body(data, member.stamp, modified_at=member.modified_at)

    def close(self) -> None:
        """Close the archive."""
        if self._archive is not None:
            self._archive.close()
        self._archive = None
        self._members = {}


_ENCRYPTED = "it is encrypted; take it out of the archive first"


@dataclass
class _Found:
    """What a listing found so far."""

    patterns: Patterns
    max_bytes: int
    reason: str = ""
    members: dict[str, _Member] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)

    def take(self, member: _Member) -> None:
        name = member.name
        if any(part.startswith(".") and part != ".." for part in name.split("/")):
            return
        if not self.patterns.choose(name.lstrip("/")):
            return
        uri = uri_from_path(name)
        problem = member.problem or self._problem(member, uri)
        if problem is None:
            self.members[uri] = member
        else:
            self.members.pop(uri, None)
            self.refused[uri] = Refusal(uri, *problem)

    def _problem(self, member: _Member, uri: str) -> tuple[RefusalCode, str] | None:
        if is_unsafe_name(member.name):
            return RefusalCode.UNSAFE, "its name leads out of the archive"
        if uri in self.members or uri in self.refused:
            return RefusalCode.KEY, "the archive holds two files of this name"
        if member.size > self.max_bytes:
            reason = f"it has {member.size:,} bytes; the limit is {self.max_bytes:,}"
            return RefusalCode.TOO_BIG, reason
        return None

    def listing(self, broken: str, identity: str) -> Listing:
        reason = self.reason or broken
        return Listing(
            tuple(
                Entry(uri, member.size, member.modified_at, member.stamp)
                for uri, member in sorted(self.members.items())
            ),
            Completeness.PARTIAL if reason else Completeness.COMPLETE,
            tuple(self.refused[uri] for uri in sorted(self.refused)),
            reason,
            identity,
        )


def _open(path: Path) -> _Archive:
    if zipfile.is_zipfile(path):
        return _Zip(path)
    return _Tar(path)


class _Zip:
    def __init__(self, path: Path) -> None:
        self.reason = ""
        self._zip = zipfile.ZipFile(path)

    def members(self) -> Iterator[_Member]:
        for info in self._zip.infolist():
            if not info.is_dir():
                problem = (RefusalCode.ENCRYPTED, _ENCRYPTED) if info.flag_bits & 1 else None
                stamp = f"{info.CRC:08x}:{info.file_size}:{info.date_time}"
                moment = _moment(info.date_time)
                yield _Member(info.filename, info.file_size, moment, stamp, info, problem)

    def read(self, member: _Member, max_bytes: int) -> bytes:
        with self._zip.open(member.key) as file:  # ends at the declared size, then checks the CRC
            return file.read(max_bytes + 1)

    def close(self) -> None:
        self._zip.close()


class _Tar:
    def __init__(self, path: Path) -> None:
        self.reason = ""
        self._stamp = stamp_of(path.stat())
        self._file = _plain_tar(path)
        try:
            self._tar = tarfile.TarFile(fileobj=self._file)
        except tarfile.TarError:
            self._file.close()
            raise

    def members(self) -> Iterator[_Member]:
        for info in self._tar:
            if info.isdir():
                continue
            name = info.name.removeprefix("./")
            whole = info.isreg() and not info.issparse()
            problem = None if whole else (RefusalCode.NOT_A_FILE, _NO_FILE)
            stamp = f"{self._stamp}:{info.offset_data}"  # a tar has no checksum of its files
            moment = _from_seconds(float(info.mtime))
            yield _Member(name, info.size, moment, stamp, info, problem)
        self._file.seek(self._tar.offset)
        if self._file.read(_BLOCK) != bytes(_BLOCK):
            self.reason = "the archive is cut off, or damaged in its middle"

    def read(self, member: _Member, max_bytes: int) -> bytes:
        self._file.seek(member.key.offset_data)
        data = self._file.read(min(member.size, max_bytes))
        if len(data) != member.size:
            raise EOFError
        return data

    def close(self) -> None:
        self._tar.close()
        self._file.close()


_NO_FILE = "it is a link, a device or a file with holes"


def _plain_tar(path: Path) -> IO[bytes]:
    """Return the tar unpacked, in a temporary file without a name if it is compressed."""
    file = path.open("rb")
    unpack = _PACKED_TAR.get(file.read(2))
    file.seek(0)
    if unpack is None:
        return file
    plain = tempfile.TemporaryFile()  # noqa: SIM115 the archive closes it
    try:
        with file, unpack(file) as packed:
            while piece := packed.read(_PIECE):
                plain.write(piece)
                if plain.tell() > MAX_UNPACKED:
                    msg = f"it has more than {MAX_UNPACKED:,} bytes once unpacked"
                    raise tarfile.TarError(msg)
    except _DAMAGED:
        plain.close()
        raise
    plain.seek(0, os.SEEK_SET)
    return plain


def _moment(fields: tuple[int, int, int, int, int, int]) -> datetime | None:
    try:
        return datetime(*fields, tzinfo=UTC)
    except ValueError:
        return None  # a month 0 is no reason to refuse a document


def _from_seconds(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
