"""plan and refresh."""

from __future__ import annotations

import time

import click

from flows.commands.options import as_json_option, desk_of, kb_argument, working_desk_of
from flows.errors import Exit
from flows.maintain import maintain as tidy_index
from flows.refresh import plan as plan_refresh
from flows.refresh import refresh as refresh_index
from flows.showing import results as rendering
from flows.showing.display import Display, emit
from retrieval.records import Completeness, RefreshPlan


@click.command()
@kb_argument
@as_json_option
@click.pass_context
def plan(context: click.Context, kb: str, *, as_json: bool) -> int:
    """Show what a refresh of KB would change, and what it would cost; write nothing."""
    started = time.monotonic()
    with desk_of(context, kb) as desk:
        planned = plan_refresh(desk, Display())
    payload = {**rendering.plan_object(planned), "seconds": round(time.monotonic() - started, 3)}
    emit(payload, rendering.plan_view(planned), as_json=as_json)
    return status_of(planned)


@click.command()
@kb_argument
@click.option("--accept", metavar="DIGEST", help="Apply this very plan although a guard stops it.")
@as_json_option
@click.pass_context
def refresh(context: click.Context, kb: str, *, accept: str | None, as_json: bool) -> int:
    """Bring the index of KB up to date with its source and publish a release."""
    with working_desk_of(context, kb) as desk:
        outcome = refresh_index(desk, Display(), accept=accept)
    payload = rendering.refresh_object(outcome)
    emit(payload, rendering.refresh_view(outcome), as_json=as_json)
    return status_of(outcome.plan)


@click.command()
@kb_argument
@as_json_option
@click.pass_context
def maintain(context: click.Context, kb: str, *, as_json: bool) -> None:
    """Compact the index of KB and drop the versions that no kept release needs."""
    with desk_of(context, kb) as desk:
        outcome = tidy_index(desk, Display())
    payload = rendering.upkeep_object(kb, outcome)
    emit(payload, rendering.upkeep_view(outcome), as_json=as_json)


def status_of(planned: RefreshPlan) -> Exit:
    """Return PARTIAL if some documents were not taken in, OK otherwise."""
    whole = planned.completeness is Completeness.COMPLETE and not planned.refused
    return Exit.OK if whole else Exit.PARTIAL
