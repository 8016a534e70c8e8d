"""What is damaged in an index: files, kept snapshots, their rows, what these say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from flows.desk import Desk
from flows.erasing.erasures import why_gone
from flows.examining.quarantine import QUARANTINE
from flows.examining.verification import Depth, Notes
from flows.journal.journal import Entry
from flows.maintain import snapshots_kept
from flows.release import Release
from flows.steps import OnProgress
from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.index_health import IndexHealth
    from retrieval.table_verify import VerifiedRows

SAMPLED_ROWS = 1_000
SEED = 20_260_101
"""Of the sample: the same rows each time, so that a finding can be looked at again."""

_SMALL = ("_versions/", "_deletions/")


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at an index: what with, how deep, where to write down what is found."""

    desk: Desk
    health: IndexHealth
    depth: Depth
    notes: Notes

    @property
    def served(self) -> Snapshot:
        return Snapshot.parse(self.desk.release().release.snapshot)


def health_of(desk: Desk) -> IndexHealth:
    """Return what looks at the index of a knowledge base."""
    # lancedb, which is not loaded to read the journal
    from retrieval.index_health import IndexHealth

    return IndexHealth(desk.index)


def look_at_index(desk: Desk, depth: Depth, notes: Notes, on_progress: OnProgress) -> None:
    """Note what is damaged in the tables of a knowledge base that has a release."""
    look = _Look(desk, health_of(desk), depth, notes)
    _look_at_files(look)
    releases = _releases_kept(desk)
    total = _rows_to_read(desk, releases) if depth is Depth.FULL else 0
    done = 0
    for snapshot, release in releases.items():
        on_rows = partial(_counting_from, done, total, on_progress)
        done += _look_at_snapshot(look, snapshot, release, on_rows)
    notes.remarks += [f"set aside before: {path.name}" for path in look.health.quarantined()]


def _counting_from(before: int, total: int, on_progress: OnProgress, rows: int) -> None:
    on_progress(before + rows, total)


def snapshot_damage(
    health: IndexHealth,
    snapshot: Snapshot,
    release: Release | None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> tuple[list[str], int]:
    """Return what is wrong with a snapshot, all of it read, and the count of rows.

    With the release that it was published in, also what does not fit that release. Raises
    SnapshotMissingError, and IndexCorruptError where it cannot be read at all.
    """
    found = health.rows(snapshot, on_rows=on_rows)
    wrong = [*_row_damage(found), *found.wrong]
    if release is not None:
        if health.recipe(snapshot).embedder != release.embedder:
            wrong.append("its table says that another embedder made it than the release says")
        if health.content_digest(snapshot, found.documents) != release.content_digest:
            wrong.append("its documents do not come to the content digest of the release")
    return wrong, found.rows


def _look_at_files(look: _Look) -> None:
    def hashed(name: str) -> bool:
        return look.depth is Depth.FULL or name.startswith(_SMALL)

    notes, kb = look.notes, look.desk.name
    for checked in look.health.files(hashed=hashed):
        notes.checked["files"] += checked.hashed
        for broken in checked.broken:
            notes.found(
                "INDEX_CORRUPT",
                broken.path,
                broken.what,
                answers="whatever can still be read; snapshots with damaged rows are named apart",
                cure=f"`driftline verify {kb} --full --repair`, or put the file back",
            )
        if checked.unsealed:
            notes.remarks.append(
                f"{checked.unsealed:,} files of the index are of no seal yet; their rows carry "
                "digests of their own, and the next refresh seals them"
            )


def _look_at_snapshot(
    look: _Look,
    snapshot: Snapshot,
    release: Release | None,
    on_rows: Callable[[int], None],
) -> int:
    """Note what is wrong with one kept snapshot; return how many rows were read."""
    look.notes.checked["snapshots"] += 1
    serves, rows, code, wrong = snapshot == look.served, 0, "INDEX_CORRUPT", list[str]()
    try:
        if look.depth is Depth.FULL:
            wrong, rows = snapshot_damage(look.health, snapshot, release, on_rows)
            broken = look.health.unreadable_indices(snapshot)
            wrong += [f"its index on {column} is broken" for column in broken]
        else:
            wrong = _counted(look.desk, snapshot, release)
            if serves and look.depth is Depth.SUBSET:
                sample = look.health.sample(snapshot, SAMPLED_ROWS, seed=SEED)
                wrong, rows = [*wrong, *_row_damage(sample)], sample.rows
    except (IndexCorruptError, SnapshotMissingError) as error:
        if why_gone(look.desk.journal, look.desk.name, str(snapshot)):
            return 0  # an erasure took it away, and the journal says so
        if _was_set_aside(look, snapshot):
            return 0
        wrong, code = [str(error)], error.code
    look.notes.checked["rows"] += rows
    answers = _answers(look.served, serves=serves)
    cure = _cure(look.desk.name, serves=serves)
    for what in wrong:
        look.notes.found(code, snapshot, what, answers=answers, cure=cure)
    return rows


def _was_set_aside(look: _Look, snapshot: Snapshot) -> bool:
    """Return whether the journal knows that a snapshot is gone, and remark that it is."""
    told = look.desk.journal.last(look.desk.name, QUARANTINE, key=str(snapshot))
    if snapshot == look.served or told is None or look.health.has_manifest(snapshot):
        return False
    look.notes.remarks.append(
        f"{snapshot} was damaged, and set aside on {told.time:%Y-%m-%d}: its release cannot be "
        "asked --as-of"
    )
    return True


def _answers(served: Snapshot, *, serves: bool) -> str:
    if serves:
        return f"{served}, as far as it can be read: what is damaged may be missing or wrong"
    return f"{served}: this one only answers a question --as-of its release"


def _cure(kb: str, *, serves: bool) -> str:
    if serves:
        return f"`driftline verify {kb} --repair`"
    return f"none needed: `driftline maintain {kb}` removes it once it is kept no more"


def _row_damage(found: VerifiedRows) -> list[str]:
    told = [
        f"document {row.uri!r}, chunk {row.chunk[:12]}: {row.what}" if row.uri else row.what
        for row in found.damaged
    ]
    if (more := found.damaged_rows - len(found.damaged)) > 0:
        told.append(f"{more:,} more rows are not what they were written as")
    return told


def _counted(desk: Desk, snapshot: Snapshot, release: Release | None) -> list[str]:
    """Return what is wrong with how many rows a snapshot says it has."""
    count = desk.index.count(snapshot)
    if release is None:
        return []
    counted = _entry(desk, release)
    told = counted.payload["chunks"] if counted else count
    return [] if told == count else [f"it says that it has {count:,} rows, {told:,} were written"]


def _rows_to_read(desk: Desk, releases: dict[Snapshot, Release | None]) -> int:
    counts = (
        counted.payload["chunks"]
        for release in releases.values()
        if release is not None and (counted := _entry(desk, release))
    )
    return sum(counts)


def _entry(desk: Desk, release: Release) -> Entry | None:
    """Return what was written of how much a release holds, by a refresh or by an erasure."""
    refresh = desk.journal.last(desk.name, "refresh", key=release.content_digest)
    return refresh or desk.journal.last(desk.name, "count", key=release.content_digest)


def _releases_kept(desk: Desk) -> dict[Snapshot, Release | None]:
    """Return the snapshots that must be there, each with the newest release that it is part of."""
    history, keep = desk.journal.history(desk.name), desk.kb.keep
    since = desk.now - timedelta(days=keep.days)
    published = {each.release.snapshot: each.release for each in history}
    kept = snapshots_kept(history, since=since, newest=keep.releases)
    return {snapshot: published.get(str(snapshot)) for snapshot in kept}
