"""Late checks and dead ones: which of several is due, and which will never go on."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.serving.abandoned import Process, why_abandoned
from flows.serving.late_runs import SUPERSEDED, Due, newer, superseded
from flows.serving.run_names import name_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def due(kb: str, hours: float) -> Due:
    return Due(uuid4(), kb, NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("mine", "others", "winner"),
    [
        pytest.param(due("docs", 0), [], None, id="alone"),
        pytest.param(due("docs", 0), [("docs", 1)], 1, id="a-newer-one"),
        pytest.param(due("docs", 0), [("docs", -1)], None, id="an-older-one"),
        pytest.param(due("docs", 0), [("docs", 0)], None, id="of-the-same-time"),
        pytest.param(due("docs", 0), [("docs", 2), ("docs", 1)], 2, id="the-newest-of-several"),
        pytest.param(due("docs", 0), [("other", 1)], None, id="of-another-knowledge-base"),
        pytest.param(due("docs", 0), [("", 1)], 1, id="of-all-of-them"),
        pytest.param(due("", 0), [("docs", 1)], None, id="of-one-does-not-do-for-all"),
        pytest.param(due("", 0), [("", 1)], 1, id="all-for-all"),
    ],
)
def test_the_newest_check_that_covers_it_wins(
    mine: Due, others: list[tuple[str, float]], winner: float | None
):
    found = newer(mine, [mine, *(due(*other) for other in others)])

    assert (found.time if found else None) == (
        None if winner is None else NOON + timedelta(hours=winner)
    )


def test_a_check_that_is_left_out_is_done_and_says_why():
    state = superseded(NOON, "a newer one is waiting")

    assert (state.type, state.name) == (StateType.COMPLETED, SUPERSEDED)
    assert state.message == (
        "The check due 2026-03-01 12:00 UTC was not needed: a newer one is waiting."
    )


def run(kind: StateType, *, age: timedelta = timedelta(0), **labels: Any) -> FlowRun:
    named = {f"driftline.{name}": value for name, value in labels.items()}
    state: State[Any] = State(type=kind, timestamp=NOON - age)
    flow_id = UUID(int=1)
    return FlowRun(flow_id=flow_id, name="x", labels=named, state=state, state_type=kind)


def me(**other: Any) -> dict[str, Any]:
    mine = Process.mine()
    return {"host": mine.host, "pid": mine.pid, "started": mine.started, **other}


def test_a_run_whose_process_runs_may_go_on():
    assert why_abandoned(run(StateType.RUNNING, **me()), NOON) == ""


def test_a_run_whose_process_is_gone_will_not_go_on():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = psutil.Process(child.pid).create_time()
        before = why_abandoned(run(StateType.RUNNING, **me(pid=child.pid, started=started)), NOON)
        child.communicate(b"\n")
    dead = run(StateType.RUNNING, **me(pid=child.pid, started=started))

    assert before == ""
    assert f"Its process {child.pid} on" in why_abandoned(dead, NOON)


def test_another_process_with_its_number_is_not_taken_for_it():
    earlier = me(pid=os.getpid(), started=Process.mine().started - 60)

    assert why_abandoned(run(StateType.RUNNING, **earlier), NOON) != ""


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(me(host="elsewhere", pid=2**22), id="on-another-machine"),
        pytest.param({}, id="that-never-said-where-it-is"),
    ],
)
def test_of_what_cannot_be_seen_from_here_nothing_is_said(labels: dict[str, Any]):
    assert why_abandoned(run(StateType.RUNNING, **labels), NOON) == ""


@pytest.mark.parametrize(("minutes", "dead"), [(5, False), (6, True)])
def test_a_run_that_never_began_is_dead_after_five_minutes(minutes: int, *, dead: bool):
    waiting = run(StateType.PENDING, age=timedelta(minutes=minutes))

    assert bool(why_abandoned(waiting, NOON)) is dead


@pytest.mark.parametrize(
    ("flow", "given", "name"),
    [
        ("monitor", {"kb": ""}, "Check every knowledge base, due 2026-03-01 12:00"),
        ("refresh", {"kb": "docs", "accept": ""}, "Refresh docs"),
        ("refresh", {"kb": "docs", "accept": "9f3c2a"}, "Refresh docs by the accepted plan 9f3c2a"),
        ("maintain", {"kb": ""}, "Tidy the index of every knowledge base"),
        ("verify", {"kb": "docs", "depth": "full"}, "Look for damage in docs, depth full"),
        ("retrain", {"kb": "docs", "snapshot": ""}, "Retrain docs on what answers now"),
        ("retrain", {"kb": "docs", "snapshot": "docs@4"}, "Retrain docs on docs@4"),
        ("promote", {"kb": "docs", "version": 0}, "Promote the challenger of docs"),
        ("promote", {"kb": "docs", "version": 3}, "Promote version 3 of docs"),
        ("rollback", {"kb": "docs", "release": "3f2a1b"}, "Go back to release 3f2a1b in docs"),
        ("forget", {"kb": "docs", "uris": ["a.md"]}, "Forget 1 document of docs"),
        ("forget", {"kb": "docs", "uris": ["a.md", "b.md"]}, "Forget 2 documents of docs"),
    ],
)
def test_a_run_is_named_by_a_sentence(flow: str, given: dict[str, Any], name: str):
    assert name_of(flow, given, NOON) == name
