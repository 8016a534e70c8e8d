"""retrain."""

from __future__ import annotations

import click

from flows.commands.options import as_json_option, kb_argument, working_desk_of
from flows.retrain import plan_retraining
from flows.retrain import retrain as train_challenger
from flows.showing.display import Display, emit
from flows.showing.training import plan_object, plan_view, retrain_object, retrain_view


@click.command()
@kb_argument
@click.option("--snapshot", metavar="SNAPSHOT", help="Default: the snapshot that answers now.")
@click.option("--plan", is_flag=True, help="Say what it would do and cost; train nothing.")
@click.option("--force", is_flag=True, help="Train again what was judged before.")
@as_json_option
@click.pass_context
def retrain(
    context: click.Context,
    kb: str,
    *,
    snapshot: str | None,
    plan: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Train a challenger for KB, weigh it against the champion, promote it if it is better."""
    with working_desk_of(context, kb) as desk:
        if plan:
            planned = plan_retraining(desk, Display(), snapshot=snapshot)
            emit(plan_object(kb, planned), plan_view(planned), as_json=as_json)
            return
        outcome = train_challenger(desk, Display(), snapshot=snapshot, force=force)
    emit(retrain_object(outcome), retrain_view(kb, outcome), as_json=as_json)
