"""One writer at a time: take a lease, keep it alive, give it back, or say who holds it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from flows.errors import BusyError
from flows.journal import Fence, Journal, LeaseRow

# A holder that missed three beats is dead: killed on another host, or stopped on this one.
TTL_SECONDS = 60.0
BEAT_SECONDS = 15.0
_POLL_SECONDS = 0.5


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
        yield fence
    finally:
        stop.set()
        beat.join()
        journal.free_lease(fence)


def _take(journal: Journal, name: str, deadline: float) -> Fence:
    while True:
        row = journal.lease(name)
        if row is None or not _alive(row):
            holder, now = _myself(), time.time()
            fence = journal.take_lease(name, holder=holder, now=now, expected=row)
            if fence is not None:
                return fence
        if time.monotonic() >= deadline:
            raise BusyError(_busy(journal.lease(name)))
        time.sleep(_POLL_SECONDS)


def _beat(journal: Journal, fence: Fence, stop: threading.Event) -> None:
    """Renew until told to stop, or until the lease is lost: then the fence refuses every write."""
    while not stop.wait(BEAT_SECONDS):
        if not journal.renew_lease(fence, now=time.time()):
            return


def _myself() -> str:
    me = psutil.Process()
    return json.dumps({"host": socket.gethostname(), "pid": me.pid, "started": me.create_time()})


def _alive(row: LeaseRow) -> bool:
    if not row.holder or time.time() - row.renewed >= TTL_SECONDS:
        return False
    holder = json.loads(row.holder)
    return holder["host"] != socket.gethostname() or _runs(holder["pid"], holder["started"])


def _runs(pid: int, started: float) -> bool:
    """Return whether that very process runs; a reused process id has another start time."""
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return bool(alive and abs(process.create_time() - started) < 1.0)
    except psutil.NoSuchProcess:
        return False


def _busy(row: LeaseRow | None) -> str:
    if row is None or not row.holder:
        return "Another run just took the lease. Try again in a moment."
    holder = json.loads(row.holder)
    age = max(0.0, time.time() - holder["started"])
    whose = "this very process" if holder["pid"] == os.getpid() else f"process {holder['pid']}"
    return (
        f"{row.name!r} is held by {whose} on {holder['host']}, running for {age:.0f} s. "
        "Wait for it to finish; if it was killed, the lease frees itself within "
        f"{TTL_SECONDS:.0f} s."
    )
