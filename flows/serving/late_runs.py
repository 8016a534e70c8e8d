"""Late checks: the newest wins, and an older one that is due as well says so and does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Completed

from flows.serving.orchestration import Change

SUPERSEDED = "Superseded"
"""The name of the state of a check that had nothing to do: done, since a newer one does it."""

# Where a year of hourly checks is late, the newest are enough to find the one that counts.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A check that is due. `kb` is "" for every knowledge base."""

    id: UUID
    kb: str
    time: datetime


def newer(mine: Due, due: Sequence[Due]) -> Due | None:
    """Return the newest check that is due after this one and covers it, None if there is none.

    >>> from uuid import uuid4
    >>> early = Due(uuid4(), "docs", datetime(2026, 3, 1, 12))
    >>> newer(early, [Due(uuid4(), "docs", datetime(2026, 3, 1, 13))]).time.hour
    13
    >>> newer(early, [early, Due(uuid4(), "other", datetime(2026, 3, 1, 13))])
    """
    after = [each for each in due if each.time > mine.time and each.kb in {"", mine.kb}]
    return max(after, key=lambda each: each.time, default=None)


def due_checks(client: SyncPrefectClient, monitor: UUID, now: datetime) -> tuple[Due, ...]:
    """Return the checks of a deployment that should have begun and wait, the newest first."""
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[monitor]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
    )
    found = client.read_flow_runs(
        flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=_MOST
    )
    return tuple(_due(run) for run in found if run.expected_start_time)


def skip_late(client: SyncPrefectClient, monitor: UUID, now: datetime) -> tuple[Change, ...]:
    """End every check that waits although a newer one is due: no process is started for it."""
    due = due_checks(client, monitor, now)
    changes = []
    for each in due:
        instead = newer(each, due)
        if instead is not None:
            state = superseded(each.time, f"a newer one, due {_shown(instead.time)}, is waiting")
            client.set_flow_run_state(each.id, state)
            changes.append(Change("flow run", f"check due {_shown(each.time)}", "updated",
                                  str(state.message)))  # fmt: skip
    return tuple(changes)


def superseded(time: datetime, why: str) -> State[Any]:
    """Return the state of a check that is left out, with the reason."""
    message = f"The check due {_shown(time)} was not needed: {why}."
    return Completed(name=SUPERSEDED, message=message)


def _due(run: FlowRun) -> Due:
    time = run.expected_start_time or datetime.now(UTC)
    return Due(run.id, str(run.parameters.get("kb") or ""), time.astimezone(UTC))


def _shown(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
