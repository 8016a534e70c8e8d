"""One writer at a time: take a lease, keep it alive, give it back, or say who holds it.

The clock on the wall frees no lease and keeps none. On one host the seconds since its boot say how
old a beat is; of a holder elsewhere, whose beat looks old or comes from the future, the beats are
watched for a while before it is taken for dead.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from flows.errors import BusyError, FlowError, JournalUnavailableError
from flows.failpoints import reach
from flows.journal.holders import is_gone, myself, read_holder, shares_clock, write_holder
from flows.journal.journal import Fence, Journal, LeaseRow

# A holder that missed three beats is dead: killed on another host, or stopped on this one.
TTL_SECONDS = 60.0
BEAT_SECONDS = 15.0
# One beat, and the time that a failed one is tried again in: 60 and 25 seconds are under 90.
WATCH_SECONDS = 25.0
_TRIES_A_BEAT = 3
_POLL_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Life(Enum):
    """Whether somebody holds a lease."""

    NOBODY = auto()
    HELD = auto()
    DOUBTFUL = auto()  # the beat is old by a clock that may have been set


@contextmanager
def hold(journal: Journal, name: str, *, patience_seconds: float = 0.0) -> Iterator[Fence]:
    """Hold a lease for the length of the block.

    A holder on this host that no longer runs is dead at once; any other after TTL_SECONDS
    without a beat. Raises BusyError, naming the holder, if it is still taken after the patience.
    """
    fence = _take(journal, name, time.monotonic() + patience_seconds)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(journal, fence, stop), daemon=True)
    beat.start()
    try:
        reach("lease.taken")
        yield fence
        reach("lease.freeing")
    finally:
        stop.set()
        beat.join()
        _free(journal, fence)


def life_of(row: LeaseRow | None, *, wall: float, ticks: float) -> Life:
    """Return whether a lease is held, at a time in seconds since 1970 and since this boot."""
    holder = read_holder(row.holder) if row is not None else None
    if row is None or holder is None:
        return Life.NOBODY
    me = myself()
    if is_gone(holder, me):
        return Life.NOBODY
    if shares_clock(holder, me):
        return Life.HELD if ticks - row.ticks < TTL_SECONDS else Life.NOBODY
    return Life.HELD if 0 <= wall - row.renewed < TTL_SECONDS else Life.DOUBTFUL


def _take(journal: Journal, name: str, deadline: float) -> Fence:
    seen, since, beaten = journal.lease(name), time.monotonic(), False
    while True:
        row = journal.lease(name)
        if row != seen:
            seen, since, beaten = row, time.monotonic(), True
        life = life_of(row, wall=time.time(), ticks=time.monotonic())
        watched = time.monotonic() - since
        silent = watched >= (WATCH_SECONDS if life is Life.DOUBTFUL else TTL_SECONDS)
        if life is Life.NOBODY or silent:
            fence = journal.take_lease(
                name,
                holder=write_holder(myself()),
                now=time.time(),
                ticks=time.monotonic(),
                expected=row,
            )
            if fence is not None:
                return fence
        # Whoever is in doubt watches, also without patience, until a beat comes or none does.
        certain = life is not Life.DOUBTFUL or beaten
        if certain and time.monotonic() >= deadline:
            raise BusyError(_busy(journal.lease(name)))
        time.sleep(_POLL_SECONDS)


def _beat(journal: Journal, fence: Fence, stop: threading.Event) -> None:
    """Renew until told to stop, or until the lease is lost: then the fence refuses every write.

    A renewal that fails, because the database is locked or away, is tried again soon: nobody else
    can take the lease from there either, and an end of the beat would be seen by nobody.
    """
    pause = BEAT_SECONDS
    while not stop.wait(pause):
        try:
            if not journal.renew_lease(fence, now=time.time(), ticks=time.monotonic()):
                _log.warning("The lease on %r is somebody else's by now.", fence.name)
                return
        except FlowError as error:
            _log.warning("The lease on %r is not renewed yet: %s", fence.name, error)
            pause = BEAT_SECONDS / _TRIES_A_BEAT
        else:
            pause = BEAT_SECONDS


def _free(journal: Journal, fence: Fence) -> None:
    """Give a lease back; what cannot be given back frees itself, and fails no work that is done."""
    try:
        journal.free_lease(fence)
    except JournalUnavailableError as error:
        _log.warning("The lease on %r frees itself soon: %s", fence.name, error)


def _busy(row: LeaseRow | None) -> str:
    holder = read_holder(row.holder) if row is not None else None
    if row is None or holder is None:
        return "Another run just took the lease. Try again in a moment."
    age = max(0.0, time.time() - holder.started)
    whose = "this very process" if holder.pid == os.getpid() else f"process {holder.pid}"
    return (
        f"{row.name!r} is held by {whose} on {holder.host}, running for {age:.0f} s. "
        "Wait for it to finish; if it was killed, the lease frees itself within "
        f"{TTL_SECONDS + WATCH_SECONDS:.0f} s."
    )
