"""A run that sleeps past its lease and wakes up publishes nothing over what was done meanwhile."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.faults.acting import act
from tests.faults.harness import Workshop, ended, perform, said, settle, start
from tests.faults.tally import SLEEPERS, TALLY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

OK, BUSY, BLOCKED = 0, 3, 4
# For 90 seconds beside a lease of 60: the same, fifty times faster.
TTL_SECONDS = 1.2
LONGEST_SECONDS = 60
PLACES = (
    ("refresh", "lease.taken"),
    ("refresh", "refresh.planned"),
    ("refresh", "refresh.committing"),
    ("refresh", "refresh.cleared"),
    ("refresh", "release.recorded"),
    ("monitor", "monitor.measured"),
    ("monitor", "monitor.tracked"),
    ("promote", "promote.settled"),
)


@pytest.mark.parametrize(("scene", "name"), PLACES)
def test_a_run_that_wakes_after_its_lease_is_gone_publishes_nothing(
    scene: str, name: str, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage(scene)
    folder = stage.copy(tmp_path / "place")
    brief = replace(stage.act(folder), ttl_seconds=TTL_SECONDS)

    sleeper = start(act, replace(brief, order=f"{name}=stop"))
    await_stop(sleeper.pid)
    time.sleep(TTL_SECONDS)  # what a lease is about
    second = perform(brief)
    between = perform(replace(brief, looks=True, arguments=("status",)))
    os.kill(sleeper.pid or 0, signal.SIGCONT)
    woken = ended(sleeper)
    perform(replace(brief, looks=True, arguments=("status",)))
    seen = settle(stage, folder)

    TALLY[SLEEPERS] += 1
    assert (second, between) == (stage.scene.status, 0), said(folder)
    # It is told, or it found on waking that there is nothing left to do.
    assert woken in {OK, BUSY, BLOCKED}, said(folder)
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


def await_stop(pid: int | None) -> None:
    """Return when a process has stopped itself."""
    process, deadline = psutil.Process(pid), time.monotonic() + LONGEST_SECONDS
    while process.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, "it never stopped"
        time.sleep(0.02)
