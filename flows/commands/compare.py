"""compare."""

from __future__ import annotations

import click

from flows.commands.options import as_json_option
from flows.compare import compare as compare_sides
from flows.showing.display import Display, emit
from flows.showing.drift import drift_object, drift_view


@click.command()
@click.argument("old")
@click.argument("new")
@as_json_option
@click.pass_context
def compare(context: click.Context, old: str, new: str, *, as_json: bool) -> None:
    """Measure drift from OLD to NEW: two folders, snapshots (docs@3) or git revisions.

    Needs no index and no model; between two snapshots it also measures novelty.
    """
    report, decision = compare_sides(old, new, Display(), config=context.find_root().obj)
    payload = drift_object(report, decision)
    emit(payload, drift_view(report, decision), as_json=as_json)
