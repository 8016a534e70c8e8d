"""What runs that died left in MLflow: they are ended there, and what they owed is written.

The journal is the truth; this only brings the window that people look through in line with it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from flows.desk import Desk
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.holders import Holder, is_gone, myself, read_holder, shares_clock
from flows.release import Published
from flows.tracking.run_figures import Counted

# A run that died owes one publication, and the next one pays. More are owed where runs died in a
# row, or where MLflow was moved; what is older than this is history that the journal tells.
_LOOKED_AT = 20
_PROMOTIONS = ("promotion", "rollback", "manual", "repair")
_REFRESHES = ("first", "refresh")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The ids of runs that were ended, and the publications that got the run they lacked."""

    ended: tuple[str, ...]
    written: tuple[int, ...]


def put_in_order(desk: Desk) -> Leftovers:
    """End what died and write what is missing in MLflow; done again, it changes nothing.

    The caller holds the writer's lease. Raises what MLflow raises.
    """
    ended = _end_abandoned(desk)
    reach("leftovers.ended")
    missing = owed(desk)
    for each in missing:
        _write(desk, each)
    reach("leftovers.written")
    return Leftovers(ended, tuple(each.sequence for each in missing))


def is_abandoned(process: Holder | None, holder: Holder | None, *, me: Holder) -> bool:
    """Return whether a run that says it is running never ends by itself.

    `process` writes it, None if an older Driftline does; `holder` has the lease that such a run is
    written under, None if nobody has. A process that is seen from here is judged by itself; any
    other is taken for dead once the lease is somebody else's.
    """
    if process is None:
        return holder in {None, me}
    return is_gone(process, me) or not (_is_seen(process, me) or holder == process)


def owed(desk: Desk) -> tuple[Published, ...]:
    """Return the newest publications that have no run in MLflow, the oldest first.

    An erasure takes runs away with what they said: nothing before it is written again.
    """
    history = desk.journal.history(desk.name)
    erased = [at for at, each in enumerate(history, start=1) if each.kind == "erasure"]
    recent = history[max(erased, default=0) :][-_LOOKED_AT:]
    shown = desk.tracker.known.shown()
    return tuple(
        each
        for each in recent
        if each.kind in (*_PROMOTIONS, *_REFRESHES) and each.sequence not in shown
    )


def _end_abandoned(desk: Desk) -> tuple[str, ...]:
    me, ended = myself(), []
    for run in desk.tracker.known.unfinished():
        name = f"{desk.name}:training" if run.role == "training" else desk.name
        process = read_holder(run.process)
        if is_abandoned(process, _holder(desk, name), me=me):
            who = f"process {process.pid} on {process.host}" if process else "a process"
            why = f"abandoned: {who} died before it was done"
            desk.tracker.known.end(run, why)
            _log.warning("Run %s of MLflow is marked as killed, %s.", run.id, why)
            ended.append(run.id)
    return tuple(ended)


def _holder(desk: Desk, name: str) -> Holder | None:
    """Return who holds a lease; one in doubt still holds it."""
    row = desk.journal.lease(name)
    life = lease.life_of(row, wall=time.time(), ticks=time.monotonic())
    return None if row is None or life is lease.Life.NOBODY else read_holder(row.holder)


def _is_seen(process: Holder, me: Holder) -> bool:
    if process.boot:
        return shares_clock(process, me) and process.space == me.space
    return process.host == me.host


def _write(desk: Desk, published: Published) -> None:
    if published.kind in _PROMOTIONS:
        desk.tracker.record_promotion(published)
        return
    entry = desk.journal.last(desk.name, "refresh", key=published.release.content_digest)
    desk.tracker.record_release(published, Counted.read(entry.payload) if entry else None)
