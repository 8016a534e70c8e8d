"""Which earlier release answers while the one that should cannot be read. Publishes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.examining.damaged_index import health_of
from flows.release import Published, Release
from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.records import Snapshot
from training.errors import TrainingError

_TRIED = 5  # earlier snapshots: upkeep keeps few more, and somebody waits for an answer

T = TypeVar("T")

_log = logging.getLogger(__name__)


def is_set_aside(desk: Desk, published: Published) -> bool:
    """True if a repair that has nothing answer in its place yet set a release's snapshot aside."""
    snapshot = Snapshot.parse(published.release.snapshot)
    return health_of(desk).file_set_aside(snapshot) is not None


def standing_in(
    desk: Desk,
    published: Published,
    read: Callable[[Snapshot], T],
    error: IndexCorruptError | SnapshotMissingError,
) -> tuple[Published, T]:
    """Return the newest earlier release that can be read instead, with what was read of it.

    An answer is of exactly one release, which it names, so this one is stamped as what it is.
    Raises the error that it was called for where none can be read.
    """
    for earlier in _earlier(desk, published):
        try:
            found = read(Snapshot.parse(earlier.release.snapshot))
        except (IndexCorruptError, SnapshotMissingError):
            continue
        _say(desk, published, earlier)
        return earlier, found
    raise error


def with_a_whole_model(desk: Desk, published: Published, error: TrainingError) -> Published:
    """Return the newest earlier release whose model is what was registered, and not tainted.

    Raises the error that it was called for where there is none.
    """
    tried = {published.release.model_version}
    for each in reversed(desk.journal.history(desk.name)):
        release = each.release
        if release.model_version in tried or release.embedder != published.release.embedder:
            continue
        tried.add(release.model_version)
        if taint_of(desk.journal, desk.name, release.model_version) is None and _is_whole(
            desk, release
        ):
            _say(desk, published, each)
            return each
    raise error


def _is_whole(desk: Desk, release: Release) -> bool:
    try:
        desk.registry.version(release.model_name, release.model_version)
        return desk.index.holds(Snapshot.parse(release.snapshot))
    except (TrainingError, IndexCorruptError):
        return False


def _say(desk: Desk, published: Published, instead: Published) -> None:
    _log.warning(
        "Release %s cannot be read, so release %s of %s answers. `driftline verify %s --repair`"
        " has it do so for good, or says how to make the index anew.",
        published.release.id,
        instead.release.id,
        f"{instead.time:%Y-%m-%d}",
        desk.name,
    )


def _earlier(desk: Desk, published: Published) -> list[Published]:
    """Return earlier releases by the same embedder, the newest first, each snapshot once."""
    found: dict[str, Published] = {}
    for each in reversed(desk.journal.history(desk.name)):
        same = each.release.embedder == published.release.embedder
        if same and each.release.snapshot != published.release.snapshot:
            found.setdefault(each.release.snapshot, each)
    return list(found.values())[:_TRIED]
