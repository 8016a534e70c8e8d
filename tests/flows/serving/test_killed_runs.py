"""A flow run that dies is marked as crashed, and the next one simply goes on."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from tests.flows.serving.conftest import Served, until

pytestmark = pytest.mark.slow


def failing_at(point: str) -> dict[str, Any]:
    """Return what starts a check of `docs` that is stopped at a failpoint."""
    return {
        "parameters": {"kb": "docs"},
        "job_variables": {"env": {"DRIFTLINE_FAILPOINT": point}},
    }


def of(run: dict[str, Any]) -> psutil.Process | None:
    """Return the process that performs a run, once it has said so."""
    pid = run["labels"].get("driftline.pid")
    return psutil.Process(int(pid)) if pid else None


def late_check(served: Served, late: timedelta) -> str:
    """Have a check of `docs` wait that should have begun that long ago; return its id."""
    due = (datetime.now(UTC) - late).isoformat()
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
    return served.start("monitor", parameters={"kb": "docs"}, state=state)


def test_a_killed_process_is_seen(served: Served):
    killed = served.ended(served.start("monitor", **failing_at("lease.taken")))

    assert killed["state_type"] == "CRASHED"


def test_what_died_with_its_runner_is_marked_by_the_next_which_goes_on(served: Served):
    run_id = served.start("monitor", **failing_at("lease.taken=stop"))
    performing = until(lambda: of(served.run(run_id)))
    until(lambda: performing.status() == psutil.STATUS_STOPPED)
    runner = served.runner()

    os.killpg(runner.pid, signal.SIGKILL)  # the flow run is of its group

    crashed = served.ended(run_id)
    assert crashed["state_type"] == "CRASHED"
    assert f"Its process {performing.pid} on" in crashed["state"]["message"]
    assert served.runner().pid != runner.pid
    next_one = served.ended(served.start("monitor", parameters={"kb": "docs"}))
    assert next_one["state_name"] == "Completed", next_one["state"]


def test_a_check_that_comes_late_does_nothing_where_a_newer_one_is_done(
    served: Served, checked: dict[str, Any]
):
    assert checked["state_name"] == "Completed", checked["state"]

    ended = served.ended(late_check(served, timedelta(hours=1)))

    assert ended["state_name"] == "Superseded", ended["state"]
    assert "the check of docs due" in ended["state"]["message"]
    assert ended["name"].startswith("Check docs, due 20")


def test_of_checks_that_waited_for_a_runner_the_newest_alone_is_done(
    served: Served, checked: dict[str, Any]
):
    assert checked["state_name"] == "Completed", checked["state"]
    runner = served.runner()
    runner.suspend()
    waiting = [late_check(served, timedelta(seconds=late)) for late in (3, 2, 1)]

    os.killpg(runner.pid, signal.SIGKILL)

    ended = [served.ended(run_id) for run_id in waiting]
    assert [each["state_name"] for each in ended] == ["Superseded", "Superseded", "Completed"]
    assert "a newer one, due" in ended[0]["state"]["message"]
