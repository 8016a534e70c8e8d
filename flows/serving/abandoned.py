"""Flow runs whose process died without a word: noted where they run, and marked as crashed.

A worker that is alive says so itself within a second; this is for when it died as well. Runs on
other machines are left to the heartbeat (flows/serving/automations.py).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flows import Flow
from prefect.states import Cancelled, Crashed

from flows.serving.orchestration import Change

TAG = "driftline"
_HOST, _PID, _STARTED = "driftline.host", "driftline.pid", "driftline.started"
# A worker takes seconds from taking a run to starting its process, a busy machine a minute.
_STARTING = timedelta(minutes=5)
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one machine. `started` is in seconds since 1970: process ids come again."""

    host: str
    pid: int
    started: float

    @classmethod
    def mine(cls) -> Process:
        """Return this very process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def gone(self) -> bool:
        """Whether it ran on this machine and does not any more."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return not same or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def note_process(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Write on a flow run which process performs it. A hook for when a run begins."""
    del flow, state
    me = Process.mine()
    labels: dict[str, bool | int | float | str] = {
        _HOST: me.host,
        _PID: me.pid,
        _STARTED: me.started,
    }
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run.id, labels)


def crash_abandoned(client: SyncPrefectClient, now: datetime) -> tuple[Change, ...]:
    """Mark every run of ours as crashed whose process is gone; return what was marked."""
    changes = []
    for run in _unfinished(client):
        why = why_abandoned(run, now)
        if why:
            cancelling = run.state_type is StateType.CANCELLING
            state: State[Any] = Cancelled(message=why) if cancelling else Crashed(message=why)
            client.set_flow_run_state(run.id, state)
            changes.append(Change("flow run", run.name, "updated", why))
    return tuple(changes)


def why_abandoned(run: FlowRun, now: datetime) -> str:
    """Return in a sentence why a run that has not ended will never go on; "" if it may."""
    labels = run.labels
    if run.state_type is StateType.PENDING and run.state is not None:
        waited = now - run.state.timestamp.astimezone(UTC)
        if waited <= _STARTING:
            return ""
        return f"Its worker died before it began: nothing was heard of it for {waited.seconds} s."
    if _PID not in labels:
        return ""
    process = Process(str(labels[_HOST]), int(labels[_PID]), float(labels[_STARTED]))
    if not process.gone:
        return ""
    return f"Its process {process.pid} on {process.host} is gone, and so is its worker."


def _unfinished(client: SyncPrefectClient) -> list[FlowRun]:
    """Return our runs that are under way, as far as the server knows."""
    under_way = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=under_way)),
    )
    found: dict[UUID, FlowRun] = {}
    while True:
        page = client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=len(found))
        found.update({run.id: run for run in page})
        if len(page) < _PAGE:
            return list(found.values())
