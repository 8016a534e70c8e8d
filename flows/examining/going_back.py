"""Which earlier snapshot is whole, and having it be the newest: shared by `repair` and `mend`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.desk import Desk
from flows.examining.damaged_index import snapshot_damage
from flows.examining.quarantine import QUARANTINE
from flows.failpoints import reach
from flows.journal.journal import Line
from flows.release import Release
from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.index_health import IndexHealth

REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class WentBack:
    """A release whose snapshot is whole, why it is to answer, and the files that were set aside.

    `lines` are what the journal is to say of those files, with the release or not at all.
    """

    release: Release
    said: str
    aside: tuple[Path, ...]
    lines: tuple[Line, ...]


def go_back(
    desk: Desk, health: IndexHealth, serving: Release, damage: str, *, same_table: bool = False
) -> WentBack | None:
    """Make the newest earlier snapshot that is whole the newest of the index; None if none is.

    With `same_table` only those in the table that answers come into question. Nothing is
    published. What cannot be read is set aside when what answers instead is there.
    """
    served = Snapshot.parse(serving.snapshot)
    for candidate in _earlier(desk, serving):
        at = Snapshot.parse(candidate.snapshot)
        if same_table and at.generation != served.generation:
            continue
        if damage_of(health, candidate):
            continue
        newest = health.go_back(at, above=_highest(desk, at.generation))
        reach("repair.restored")
        aside = health.set_aside_unreadable(newest)
        reach("repair.aside")
        said = f"{served} is damaged ({damage}): what {at} says answers again"
        release = replace(
            serving,
            snapshot=str(newest),
            content_digest=candidate.content_digest,
            embedder=candidate.embedder,
        )
        return WentBack(release, said, aside, _lines(health, served, damage))
    return None


def damage_of(health: IndexHealth, release: Release) -> str:
    """Return what is wrong with a release's snapshot, "" if it is whole; all of it is read."""
    try:
        wrong, _ = snapshot_damage(health, Snapshot.parse(release.snapshot), release)
    except (IndexCorruptError, SnapshotMissingError) as error:
        return f"{error.code}: it cannot be read"
    more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more}" if wrong else ""


def _earlier(desk: Desk, serving: Release) -> Iterator[Release]:
    """Yield what answered before by the same embedder, the newest first, each snapshot once."""
    seen = {serving.snapshot}
    for published in reversed(desk.journal.history(desk.name)):
        release = published.release
        if release.snapshot not in seen and release.embedder == serving.embedder:
            seen.add(release.snapshot)
            yield release


def _highest(desk: Desk, generation: int) -> int:
    """Return the highest number that the journal has for a version of a table."""
    named = (Snapshot.parse(each.release.snapshot) for each in desk.journal.history(desk.name))
    return max((each.version for each in named if each.generation == generation), default=0)


def _lines(health: IndexHealth, served: Snapshot, damage: str) -> tuple[Line, ...]:
    """Return the line on what answered and was set aside, so that its name is told as gone."""
    file = health.file_set_aside(served)
    if file is None or health.has_manifest(served):
        return ()
    payload = {"snapshot": str(served), "file": file.name, "reason": damage}
    return (Line(QUARANTINE, payload, str(served)),)
