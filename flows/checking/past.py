"""Which versions of a knowledge base's past can be read: git commits, snapshots, or folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from flows.desk import Desk
from flows.settings.source import FolderSource, GitSource
from retrieval.errors import SnapshotMissingError, SourceUnreachableError
from retrieval.records import Snapshot
from retrieval.sources import Source
from retrieval.sources.folder import FolderSource as OpenedFolder
from retrieval.sources.git_history import GitHistory, last_of_each_day
from retrieval.sources.patterns import DOCUMENTS

# Every version is compared with every other: so many take a second or two.
LIMIT = 60
_FEWEST = 2
_DAY = timedelta(days=1)

T = TypeVar("T")


class Origin(StrEnum):
    """Where the past is read from."""

    GIT = "git"
    SNAPSHOTS = "snapshots"
    FOLDERS = "folders"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which past: without an origin the commits of the source, or else the snapshots.

    `times` are those of the folders, one each. Of more versions than `limit`, two or more, as many
    are taken, evenly, the first and the last among them.
    """

    origin: Origin | None = None
    folders: tuple[Path, ...] = ()
    times: tuple[datetime, ...] = ()
    since: datetime | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class PastVersion:
    """A version before it is read, and since when it stood."""

    name: str
    time: datetime
    place: Source | Snapshot


@dataclass(frozen=True, slots=True)
class Found:
    """The versions to read, oldest first, of how many there are; close it when they are read."""

    origin: Origin
    versions: tuple[PastVersion, ...]
    of: int
    close: Callable[[], None] = lambda: None


def find_past(desk: Desk, wanted: Wanted) -> Found:
    """Return the versions there are, reading none; raise SourceUnreachableError."""
    match wanted.origin:
        case Origin.FOLDERS:
            return _folders(desk, wanted)
        case Origin.SNAPSHOTS:
            return _snapshots(desk, wanted)
        case _:
            return _git(desk, wanted)


def _git(desk: Desk, wanted: Wanted) -> Found:
    """Return the last commit of each day; the snapshots where there is no past in git."""
    history = _history_of(desk)
    if history is None and wanted.origin is Origin.GIT:
        msg = (
            f"Knowledge base {desk.name!r} has no past in git: its source is no single folder in a "
            "work tree and no repository on this machine. Replay its snapshots with --snapshots, "
            "or clone the repository and name a folder for each version with --folders."
        )
        raise SourceUnreachableError(msg)
    if history is None:
        return _snapshots(desk, wanted)
    days = last_of_each_day(history.commits())
    if len(days) < _FEWEST and wanted.origin is None:
        return _snapshots(desk, wanted)
    versions = [PastVersion(commit.name, commit.time, history.at(commit)) for commit in days]
    return replace(_chosen(Origin.GIT, versions, wanted), close=history.close)


def _history_of(desk: Desk) -> GitHistory | None:
    sources = list(desk.kb.named_sources().values())
    source = sources[0] if len(sources) == 1 else None
    match source:
        case FolderSource():
            return GitHistory.around(
                desk.settings.resolve(source.path),
                include=source.include,
                exclude=source.exclude,
                max_bytes=source.max_bytes,
            )
        case GitSource() if (local := desk.settings.resolve(Path(source.repository))).is_dir():
            return GitHistory(
                local,
                branch=source.branch,
                folder=source.folder,
                include=source.include,
                exclude=source.exclude,
                max_bytes=source.max_bytes,
            )
        case _:
            return None


def _snapshots(desk: Desk, wanted: Wanted) -> Found:
    """Return every snapshot that was published and is still there, when it first was."""
    first: dict[str, datetime] = {}
    for published in desk.journal.history(desk.name):
        first.setdefault(published.release.snapshot, published.time)
    versions = [
        PastVersion(name, time, Snapshot.parse(name))
        for name, time in first.items()
        if _is_there(desk, Snapshot.parse(name))
    ]
    return _chosen(Origin.SNAPSHOTS, versions, wanted)


def _is_there(desk: Desk, snapshot: Snapshot) -> bool:
    try:
        desk.index.recipe(snapshot)
    except SnapshotMissingError:
        return False
    return True


def _folders(desk: Desk, wanted: Wanted) -> Found:
    """Return folders in the order given."""
    for folder in wanted.folders:
        if not folder.is_dir():
            msg = f"There is no folder {str(folder)!r} to replay."
            raise SourceUnreachableError(msg)
    source = next(iter(desk.kb.named_sources().values()))
    if isinstance(source, FolderSource | GitSource):
        include, exclude = source.include, source.exclude
    else:
        include, exclude = DOCUMENTS, ()
    times = wanted.times or _times_of(wanted.folders)
    versions = [
        PastVersion(
            folder.resolve().name, time, OpenedFolder(folder, include=include, exclude=exclude)
        )
        for folder, time in zip(wanted.folders, times, strict=True)
    ]
    return _chosen(Origin.FOLDERS, versions, wanted)


def _times_of(folders: Sequence[Path]) -> tuple[datetime, ...]:
    """Return when the newest file of each folder was edited; a day apart if that is no order."""
    edited = []
    for folder in folders:
        stamps = [path.stat().st_mtime for path in folder.rglob("*") if path.is_file()]
        edited.append(datetime.fromtimestamp(max(stamps, default=0.0), UTC))
    if all(earlier < later for earlier, later in pairwise(edited)):
        return tuple(edited)
    last = max(edited, default=datetime.fromtimestamp(0, UTC))
    return tuple(last - _DAY * (len(folders) - 1 - at) for at in range(len(folders)))


def _chosen(origin: Origin, versions: Sequence[PastVersion], wanted: Wanted) -> Found:
    since = wanted.since
    recent = [version for version in versions if since is None or version.time >= since]
    return Found(origin, thinned(recent, wanted.limit), len(recent))


def thinned(items: Sequence[T], limit: int) -> tuple[T, ...]:
    """Return at most so many items, evenly, the first and the last among them.

    >>> thinned("abcdefg", 3), thinned("ab", 3)
    (('a', 'd', 'g'), ('a', 'b'))
    """
    if len(items) <= limit:
        return tuple(items)
    step = (len(items) - 1) / (limit - 1)
    return tuple(items[round(at * step)] for at in range(limit))
