"""What scheduled runs do: each knowledge base on its own, late checks left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.desk import Desk
from flows.errors import FlowError
from flows.examining.verification import Depth
from flows.maintain import maintain as tidy_index
from flows.monitor import monitor as run_check
from flows.serving import late_runs, run_cards, timeline
from flows.serving.task_steps import OURS, as_task
from flows.settings.settings import load_settings
from flows.showing.results import hub_lines
from flows.telling.prefect_couriers import ask, desk_on_duty
from flows.verify import verify


def for_each(
    kb: str,
    work: Callable[[Desk], State[Any] | None],
    *,
    waiting: tuple[type[FlowError], ...] = (),
) -> State[Any] | None:
    """Do the work for one knowledge base, or for all; one that fails does not stop the others.

    Returns the state of what failed, or that all of the work came to; None where it is plainly
    done.
    """
    settings = load_settings()
    stopped: list[Exception] = []
    told: list[State[Any]] = []
    names = [kb] if kb else sorted(settings.kb)
    for name in names:
        try:
            with desk_on_duty(settings, name, now=scheduled_time()) as desk:
                state = work(desk)
        except waiting as error:
            get_run_logger().warning("%s: %s", error.code, error)
        except OURS as error:
            get_run_logger().error("%s: %s", error.code, error)
            stopped.append(error)
        except Exception as error:  # noqa: BLE001 - told below; the others are checked all the same
            get_run_logger().error("%s: nobody foresaw this", name, exc_info=error)
            stopped.append(error)
        else:
            told += [state] if state is not None else []
    if stopped:
        raise stopped[0]
    failed = [state for state in told if state.is_failed()]
    if failed:
        return failed[0]
    return told[0] if len(told) == len(names) else None


def newer_check(kb: str, due: datetime) -> datetime | None:
    """Return when a newer check is due that waits as well, None if this one is the newest."""
    deployment, run = runtime.deployment.id, runtime.flow_run.id
    if not deployment or not run:
        return None
    with get_client(sync_client=True) as client:
        waiting = late_runs.due_checks(client, UUID(str(deployment)), datetime.now(UTC))
    instead = late_runs.newer(late_runs.Due(UUID(str(run)), kb, due), waiting)
    return instead.time if instead else None


def check(desk: Desk) -> State[Any] | None:
    """Check one knowledge base, unless a check that was due later was done already."""
    last = desk.journal.last(desk.name, "check")
    if last is not None and last.time > desk.now:
        state = late_runs.superseded(
            desk.now, f"the check of {desk.name} due {last.time:%Y-%m-%d %H:%M} UTC is done"
        )
        get_run_logger().info(str(state.message))
        return state
    outcome = run_check(desk, as_task, ask=ask)
    decision = outcome.check.decision
    get_run_logger().info("%s: %s", decision.action.value, decision.reason)
    timeline.leave_check(desk.name, outcome)
    if outcome.requested:
        get_run_logger().info("Retraining asked for: %s", outcome.requested)
    return None


def tidy(desk: Desk) -> None:
    """Tidy one index, and leave what that did in Prefect."""
    outcome = tidy_index(desk, as_task)
    done = outcome.tidied
    told = "%s: %d versions removed, %d left, %d bytes in use"
    removed, left = done.versions_removed, done.versions_left
    get_run_logger().info(told, desk.name, removed, left, done.bytes_after)
    for line in hub_lines(outcome.hubs):
        get_run_logger().warning("%s: %s", desk.name, line)
    timeline.leave_upkeep(desk.name, outcome)


def look_for_damage(desk: Desk, depth: Depth) -> State[Any] | None:
    """Look for damage in one knowledge base; return a failed state that tells of it, if any."""
    found = verify(desk, as_task, depth=depth)
    title = run_cards.verification_title(found)
    timeline.leave("verify", desk.name, run_cards.verification_card(found), title)
    return Failed(message=f"{desk.name}: {title}") if found.findings else None


def scheduled_time() -> datetime:
    """Return when the run under way was due, in UTC: its only clock."""
    scheduled = runtime.flow_run.scheduled_start_time
    return datetime.fromisoformat(str(scheduled)).astimezone(UTC)
