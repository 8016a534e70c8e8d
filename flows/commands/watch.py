"""watch."""

from __future__ import annotations

import click

from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.errors import FlowError
from flows.records import RefreshOutcome
from flows.showing import results as rendering
from flows.showing.display import Display, emit
from flows.watch import watch as follow
from retrieval.errors import RetrievalError


@click.command()
@kb_argument
@as_json_option
@click.pass_context
def watch(context: click.Context, kb: str, *, as_json: bool) -> None:
    """Refresh KB whenever its folders change, until Ctrl-C."""
    with desk_of(context, kb) as desk:
        try:
            for outcome in follow(desk, Display()):
                _tell(outcome, as_json=as_json)
        except KeyboardInterrupt:
            click.echo("Stopped watching.", err=True)


def _tell(outcome: RefreshOutcome | FlowError | RetrievalError, *, as_json: bool) -> None:
    if isinstance(outcome, RefreshOutcome):
        payload, view = rendering.refresh_object(outcome), rendering.refresh_view(outcome)
        emit(payload, view, as_json=as_json)
    else:
        payload = {"error": {"code": outcome.code, "message": str(outcome)}}
        emit(payload, f"{outcome.code}: {outcome}", as_json=as_json)
