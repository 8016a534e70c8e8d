"""Upkeep of one table's folder: small files into large ones, versions that nothing needs away.

Run it under the writer's lease. Killed anywhere, every version that is kept reads as before.
"""

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from retrieval.failpoints import reach

GRACE = timedelta(hours=1)
"""How long a version stays although nothing keeps it: a reader may have opened it before."""

SMALL_FRAGMENTS = 20
"""From how many small files compaction pays: at 1,000 a flat search takes 15 times as long."""

_ATTEMPTS = 4
_REMOVED = ".removed"  # at the end of a table's name while it is taken away
_ROWS_OF_SMALL = 100_000  # below it a fragment is small; Lance itself aims at a million


@dataclass(frozen=True, slots=True)
class Tidied:
    """What upkeep did, of one table or of several together. Compaction makes a new version."""

    compacted: bool = False
    versions_removed: int = 0
    versions_left: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    def __add__(self, other: "Tidied") -> "Tidied":
        """Return both together."""
        return Tidied(
            self.compacted or other.compacted,
            self.versions_removed + other.versions_removed,
            self.versions_left + other.versions_left,
            self.bytes_before + other.bytes_before,
            self.bytes_after + other.bytes_after,
        )


def tidy(
    folder: Path,
    kept_versions: Collection[int],
    *,
    now: datetime,
    grace: timedelta = GRACE,
    from_fragments: int = SMALL_FRAGMENTS,
) -> Tidied:
    """Remove the versions that nothing needs, then compact the table in this folder.

    A version goes unless it is kept, tagged, the newest, or younger than the grace; with it go the
    files that it alone uses. Unfinished writes stay for a week, foreign files for ever. Compaction
    makes one version of equal content, whose indices are to be built again, and leaves out deleted
    rows. Removal comes first, so that a full disk can be helped.
    """
    before = _bytes(folder)
    removed = _remove(folder, kept_versions, now - grace)
    reach("tidy.removed")
    compacted = _compact(folder, from_fragments)
    reach("tidy.compacted")
    if compacted:
        removed += _remove(folder, kept_versions, now - grace)
    dataset = _opened(folder)
    return Tidied(
        compacted=compacted,
        versions_removed=removed,
        versions_left=len(dataset.versions()),
        bytes_before=before,
        bytes_after=_bytes(folder),
    )


def remove_table(folder: Path, *, now: datetime, grace: timedelta = GRACE) -> Tidied:
    """Remove a table that nothing keeps, if its newest version is older than the grace."""
    dataset = _opened(folder)
    count, before = len(dataset.versions()), _bytes(folder)
    made_at = max(each["timestamp"].astimezone(UTC) for each in dataset.versions())
    if made_at > now - grace:
        return Tidied(versions_left=count, bytes_before=before, bytes_after=before)
    # Renamed first: half removed, it must not be taken for a table.
    gone = folder.with_name(f"{folder.name}{_REMOVED}")
    folder.rename(gone)
    reach("tidy.retired")
    shutil.rmtree(gone)
    return Tidied(versions_removed=count, bytes_before=before)


def remove_leftovers(folder: Path, kb: str) -> None:
    """Remove what a killed `remove_table` left of a knowledge base's tables."""
    for pattern in (f"{kb}.lance{_REMOVED}", f"{kb}.*.lance{_REMOVED}"):
        for left in folder.glob(pattern):
            shutil.rmtree(left)


def _remove(folder: Path, kept_versions: Collection[int], before: datetime) -> int:
    dataset = _opened(folder)
    known = {each["version"]: each["timestamp"].astimezone(UTC) for each in dataset.versions()}
    unneeded = sorted(
        version
        for version, made_at in known.items()
        if version not in kept_versions and version != dataset.version and made_at <= before
    )
    if unneeded:  # Lance reads an empty list as an error
        _retried(
            folder,
            lambda newest: newest.cleanup_old_versions(
                versions=unneeded, error_if_tagged_old_versions=False
            ),
        )
    return len(known) - len(_opened(folder).versions())


def _compact(folder: Path, from_fragments: int) -> bool:
    fragments = _opened(folder).get_fragments()
    small = [each for each in fragments if each.count_rows() < _ROWS_OF_SMALL]
    if len(small) < max(from_fragments, 2):
        return False
    # Not LanceDB's own `optimize`: it removes what is older than a week too, whoever keeps it,
    # and folds new rows into the indices.
    made = _retried(folder, lambda newest: newest.optimize.compact_files())
    return bool(made.fragments_removed)


def _retried(folder: Path, work: Callable[[Any], Any]) -> Any:
    """Do the work on the newest version; again where another commit came between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work(_opened(folder))
        except (OSError, RuntimeError, ValueError) as error:
            if "commit conflict" not in str(error).lower():
                raise
    return work(_opened(folder))


def _opened(folder: Path) -> Any:
    # Here and not above: its 200 MB are loaded by the first upkeep, not by every command.
    import lance  # noqa: PLC0415

    return lance.dataset(str(folder))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
