"""Processes that live as long as we do: started anew, not for ever, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows.errors import ServerError
from flows.serving.processes import Household

SERVER = ("http.server", "--bind", "127.0.0.1", "0")
# A parent of two servers, one of which has a child of its own group, that says who they are.
PARENT = f"""
import os, signal, sys, time
from pathlib import Path
from flows.serving.processes import Household
for sign in (signal.SIGHUP, signal.SIGTERM):  # whoever started us may have been deaf to one
    signal.signal(sign, signal.SIG_DFL)
with Household(dict(os.environ), Path(sys.argv[1]), Path.cwd()) as household:
    for name in ("one", "two"):
        household.start(name, *{SERVER!r})
    print(*household.pids, flush=True)
    time.sleep(600)
"""


def household(folder: Path) -> Household:
    return Household(dict(os.environ), folder, folder)


def alive(pids: list[int]) -> list[int]:
    """Return which processes are still there after a while that is long enough to end."""
    found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(found, timeout=30)
    return [each.pid for each in left if each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_however_the_parent_ends_nothing_is_left(tmp_path: Path, sign: signal.Signals):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2

        parent.send_signal(sign)

        assert alive(pids) == []


def test_at_its_end_all_are_ended_with_what_they_started(tmp_path: Path):
    with household(tmp_path) as held:
        held.start("one", *SERVER)
        ours = [each.pid for each in psutil.Process().children() if each.pid in held.pids]
        watchdogs = [
            each.pid for each in psutil.Process().children() if "/bin/sh" in each.cmdline()
        ]

    assert len(ours) == len(watchdogs) == 1
    assert alive([*ours, *watchdogs]) == []


def test_what_stopped_is_named_with_its_log(tmp_path: Path):
    with household(tmp_path) as held:
        held.start("one", "no_such_module")
        for pid in held.pids:  # waits, and leaves its status to be read
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

        with pytest.raises(ServerError, match=r"one stopped with status 1; see .*one\.log"):
            held.refuse_stopped()

        assert held.stopped() == ("one",)
    assert "No module named no_such_module" in held.log_of("one").read_text()


def test_what_stops_again_and_again_is_given_up(tmp_path: Path):
    with household(tmp_path) as held:
        held.start("one", *SERVER)
        for _ in range(5):
            held.may_restart("one")

        with pytest.raises(ServerError, match="started anew 5 times within 10 minutes"):
            held.may_restart("one")
