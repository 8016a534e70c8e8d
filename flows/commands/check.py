"""monitor and drift."""

from __future__ import annotations

import click

from flows.checking.measure import drift as measure
from flows.commands.index import status_of
from flows.commands.options import as_json_option, desk_of, desk_on_duty_of, kb_argument
from flows.monitor import monitor as run_check
from flows.monitor import past
from flows.showing import results as rendering
from flows.showing.display import Display, emit
from flows.showing.drift import drift_object, drift_view


@click.command()
@kb_argument
@as_json_option
@click.pass_context
def monitor(context: click.Context, kb: str, *, as_json: bool) -> int:
    """Run the whole scheduled check of KB here: refresh, measure, decide, retrain if needed."""
    with desk_on_duty_of(context, kb) as desk:
        outcome = run_check(desk, Display())
    emit(rendering.monitor_object(outcome), rendering.monitor_view(outcome), as_json=as_json)
    return status_of(outcome.check.refresh.plan)


@click.command()
@kb_argument
@click.option("--reference", metavar="SNAPSHOT", help="Default: what the champion was trained on.")
@click.option("--current", metavar="SNAPSHOT", help="Default: the snapshot that answers now.")
@as_json_option
@click.pass_context
def drift(
    context: click.Context, kb: str, *, reference: str | None, current: str | None, as_json: bool
) -> None:
    """Measure how far KB has moved, and say what the policy makes of it; write nothing."""
    with desk_of(context, kb) as desk:
        release = desk.release().release
        measured = measure(
            desk,
            Display(),
            reference or release.trained_on,
            current or release.snapshot,
            past(desk, release),
        )
    report, decision = measured.report, measured.decision
    payload = drift_object(report, decision)
    emit(payload, drift_view(report, decision), as_json=as_json)
