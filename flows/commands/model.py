"""retrain."""

from __future__ import annotations

import click

from flows import rendering
from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.display import Display, emit
from flows.retrain import retrain as train_challenger


@click.command()
@kb_argument
@click.option("--snapshot", metavar="SNAPSHOT", help="Default: the snapshot that answers now.")
@click.option("--force", is_flag=True, help="Train again what was judged before.")
@as_json_option
@click.pass_context
def retrain(
    context: click.Context, kb: str, *, snapshot: str | None, force: bool, as_json: bool
) -> None:
    """Train a challenger for KB, weigh it against the champion, promote it if it is better."""
    with desk_of(context, kb) as desk:
        outcome = train_challenger(desk, Display(), snapshot=snapshot, force=force)
    emit(rendering.retrain_object(outcome), rendering.retrain_view(outcome), as_json=as_json)
