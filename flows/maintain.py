"""Keep the index small and quick: compact it, and drop the versions that nothing needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flows.desk import Desk
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.release import Published
from flows.steps import Perform
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.table_hubs import Hub
    from retrieval.table_upkeep import Tidied


@dataclass(frozen=True, slots=True)
class Maintained:
    """What upkeep did, and which release answers now: the same text, in a tidier place.

    `hubs` are documents that are near to everything, and crowd out what should be found.
    """

    tidied: Tidied
    published: Published
    hubs: tuple[Hub, ...]


def maintain(desk: Desk, perform: Perform) -> Maintained:
    """Tidy the index under the writer's lease; what is kept stays answerable.

    Raises NoReleaseError and BusyError.
    """
    with lease.hold(desk.journal, desk.name) as fence:
        serving = desk.release()
        history, keep = desk.journal.history(desk.name), desk.kb.keep
        since = desk.now - timedelta(days=keep.days)
        kept = snapshots_kept(history, since=since, newest=keep.releases)
        tidied = perform("Tidying the index", lambda _: desk.index.tidy(kept, now=desk.now))
        reach("maintain.tidied")
        newest = desk.index.newest(Snapshot.parse(serving.release.snapshot))
        ready = perform("Building indices", lambda _: desk.index.prepare(newest, thorough=True))
        reach("maintain.indexed")
        desk.index.settle(ready)
        reach("maintain.settled")
        published = _publish(desk, fence, serving, ready, tidied)
        reach("maintain.published")
    hubs = perform(
        "Looking for hubs", lambda _: desk.index.hubs(Snapshot.parse(published.release.snapshot))
    )
    return Maintained(tidied, published, hubs)


def snapshots_kept(
    history: Sequence[Published], *, since: datetime, newest: int
) -> tuple[Snapshot, ...]:
    """Return the snapshots that must stay, given every publication, newest last.

    Those of the newest publications, of all since a time, and of the one that answered then; and
    what each of their models was trained on, which is what drift is measured from.
    """
    recent = sum(published.time >= since for published in history)
    kept = history[-max(newest, recent + 1) :]
    names = {name for p in kept for name in (p.release.snapshot, p.release.trained_on)}
    return tuple(Snapshot.parse(name) for name in sorted(names))


def _publish(
    desk: Desk, fence: Fence, serving: Published, ready: Snapshot, tidied: Tidied
) -> Published:
    """Publish the tidied snapshot; not one that a killed refresh left: that is a refresh's."""
    release = serving.release
    moved = str(ready) != release.snapshot
    if not moved or desk.index.content_digest(ready) != release.content_digest:
        return serving
    desk.journal.append(
        desk.name, "upkeep", asdict(tidied), time=desk.now, key=str(ready), fence=fence
    )
    reach("maintain.recorded")
    return desk.journal.publish(
        replace(release, snapshot=str(ready)),
        kind="upkeep",
        reason="the same content, compacted and indexed anew",
        time=desk.now,
        fence=fence,
        expected_version=release.model_version,
    )
