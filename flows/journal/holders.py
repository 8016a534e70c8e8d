"""Who holds a lease: which process, on which host, since which boot; and whether it still runs.

Nothing here asks the wall clock whether a process is the same: a clock that is set must not make
a living holder look like a dead one.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `started` is seconds since 1970, for people; `begun` clock ticks since the boot.

    `boot` names the host's boot and its clock; `space` the room that its process ids are of: one
    boot may have several, in containers. All three are "" where the system does not tell.
    """

    host: str
    pid: int
    started: float
    boot: str = ""
    space: str = ""
    begun: str = ""


def myself() -> Holder:
    """Return this process."""
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        pid=pid,
        started=psutil.Process(pid).create_time(),
        boot=_boot(),
        space=_link("pid"),
        begun=_begun(pid),
    )


def write_holder(holder: Holder) -> str:
    """Return a holder as a lease stores it."""
    return json.dumps(asdict(holder))


def read_holder(written: str) -> Holder | None:
    """Return who a lease names, None if that is nobody of ours.

    >>> read_holder('{"host": "a", "pid": 7, "started": 0.5}').pid, read_holder("killed")
    (7, None)
    """
    try:
        told = json.loads(written)
        known = {each.name: told[each.name] for each in fields(Holder) if each.name in told}
        return Holder(**known)
    except (ValueError, TypeError):
        return None


def shares_clock(holder: Holder, me: Holder) -> bool:
    """Return whether both count the seconds since the same boot by the same clock."""
    return bool(me.boot) and holder.boot == me.boot


def is_gone(holder: Holder, me: Holder) -> bool:
    """Return whether a holder is known to have ended; False where that cannot be seen from here."""
    if holder.boot:
        visible = shares_clock(holder, me) and holder.space == me.space
    else:
        visible = holder.host == me.host  # written by an older Driftline, or on another system
    return visible and not _runs(holder)


def _runs(holder: Holder) -> bool:
    """Return whether that very process runs; a reused process id began at another time."""
    if holder.begun and (begun := _begun(holder.pid)):
        return begun == holder.begun
    try:
        process = psutil.Process(holder.pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return bool(alive and abs(process.create_time() - holder.started) < 1.0)
    except psutil.NoSuchProcess:
        return _is_hidden(holder.pid)


def _is_hidden(pid: int) -> bool:
    """Return whether there is a process that this user is not shown (/proc with hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _begun(pid: int) -> str:
    """Return when a process began, in clock ticks since the boot; "" if it does not run.

    Field 22 of proc_pid_stat(5), counted from the end of the name, which may have spaces in it.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = told.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else rest[18]


def _boot() -> str:
    """Return the name of this host's boot, and of its clock where that can be another's."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot} {_link('time')}".strip()


def _link(space: str) -> str:
    try:
        return str(Path(f"/proc/self/ns/{space}").readlink())
    except OSError:
        return ""
