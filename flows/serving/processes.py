"""Processes that live as long as we do: started anew if they stop, ended however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.errors import ServerError

_STOP_SECONDS = 20.0
# One that stops more often than this will not come up by itself.
_RESTARTS, _WITHIN_SECONDS = 5, 600.0
# Reads from us which process groups to end, the last line counts, until we are gone: whatever
# killed us closed the pipe. A shell weighs one megabyte, and hears what no signal tells.
_WATCHDOG = """
while read -r line; do groups=$line; done
for group in $groups; do
  kill -TERM -"$group" 2>/dev/null || continue
  for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 -"$group" 2>/dev/null || break; sleep 1; done
  kill -KILL -"$group" 2>/dev/null
done
"""


@dataclass
class _Kept:
    """A process of ours, how it was started, and when it was started anew (monotonic seconds)."""

    command: Sequence[str]
    running: subprocess.Popen[bytes]
    restarts: deque[float] = field(default_factory=deque)


class Household:
    """Starts processes of this Python, each in a session of its own so that Ctrl-C reaches only us.

    At its end, and if this process is killed, they are ended too, the youngest first. Raises
    ServerError where one cannot be kept running.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, folder: Path) -> None:
        self._environment, self._logs, self._folder = environment, logs, folder
        self._kept: dict[str, _Kept] = {}
        # What a process that died had started goes on, and is ended with the rest.
        self._left: list[int] = []
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._kept:
            _, kept = self._kept.popitem()
            _stop(kept.running)
        for group in self._left:
            _signal(group, signal.SIGKILL)
        self._left.clear()
        self._tell_watchdog()
        self._watchdog.communicate()

    def start(self, name: str, *command: str, passing: Sequence[int] = ()) -> None:
        """Run a module of this Python; what it says goes to a log of that name."""
        with (self._logs / f"{name}.log").open("ab") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._folder,
                pass_fds=passing,
            )
        before = self._kept.get(name)
        if before is not None:
            self._left.append(before.running.pid)
        restarts = before.restarts if before is not None else deque[float]()
        self._kept[name] = _Kept(command, running, restarts)
        self._tell_watchdog()

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes, the youngest first."""
        return tuple(kept.running.pid for kept in reversed(self._kept.values()))

    def stopped(self) -> tuple[str, ...]:
        """Return the names of those that do not run any more."""
        return tuple(name for name, kept in self._kept.items() if kept.running.poll() is not None)

    def refuse_stopped(self) -> None:
        """Raise ServerError if one does not run any more."""
        for name in self.stopped():
            raise ServerError(self._why(name))

    def may_restart(self, name: str) -> None:
        """Note that a process is started anew; raise ServerError if that happens too often."""
        restarts, now = self._kept[name].restarts, time.monotonic()
        while restarts and now - restarts[0] > _WITHIN_SECONDS:
            restarts.popleft()
        if len(restarts) >= _RESTARTS:
            msg = (
                f"{self._why(name)} It was started anew {_RESTARTS} times within "
                f"{_WITHIN_SECONDS / 60:.0f} minutes."
            )
            raise ServerError(msg)
        restarts.append(now)

    def log_of(self, name: str) -> Path:
        """Return where a process writes what it says."""
        return self._logs / f"{name}.log"

    def _why(self, name: str) -> str:
        status = self._kept[name].running.returncode
        return f"{name} stopped with status {status}; see {self.log_of(name)}."

    def _tell_watchdog(self) -> None:
        """Say which groups to end, the youngest first."""
        self._left = [group for group in self._left if _signal(group, 0)]
        groups = map(str, [*self._left, *self.pids])
        if self._watchdog.stdin is not None and self._watchdog.poll() is None:
            self._watchdog.stdin.write(f"{' '.join(groups)}\n".encode())
            self._watchdog.stdin.flush()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: asked first, then made to."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not _signal(process.pid, sign):
            break
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _signal(group: int, sign: int) -> bool:
    """Send a signal to a group of processes, 0 for none; return whether there is such a group."""
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):
        return False
    return True
