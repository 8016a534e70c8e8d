"""promote, rollback and resume."""

from __future__ import annotations

import getpass

import click

from flows.commands.options import as_json_option, desk_of, kb_argument, working_desk_of
from flows.errors import Exit
from flows.promote import promote as promote_version
from flows.promote import reason_of
from flows.promoting.evidence import evidence_of
from flows.promoting.promotions import frozen, person
from flows.rollback import resume as let_go_on
from flows.rollback import rollback as go_back
from flows.showing import promotion as promotion_rendering
from flows.showing.display import Display, emit


def who() -> str:
    """Return who is logged in; a container may run as a user that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


by_option = click.option(
    "--by",
    metavar="NAME",
    default=who,
    help="Who decides, for the history. Default: who is logged in.",
)


@click.command()
@kb_argument
@click.option("--version", type=int, metavar="N", help="Default: the version that was judged last.")
@click.option("--evidence", metavar="DIGEST", help="The evidence that you saw and approve.")
@by_option
@as_json_option
@click.pass_context
def promote(
    context: click.Context,
    kb: str,
    *,
    version: int | None,
    evidence: str | None,
    by: str,
    as_json: bool,
) -> int:
    """Show the evidence on a version of KB's model, or promote it on that evidence."""
    with working_desk_of(context, kb) as desk:
        shown = evidence_of(desk, version)
        if evidence is None:
            view = promotion_rendering.evidence_view(shown)
            emit(promotion_rendering.evidence_object(shown), view, as_json=as_json)
            return Exit.BLOCKED
        published = promote_version(
            desk,
            Display(),
            version=shown.version,
            expected=shown.champion,
            actor=person(by),
            why=reason_of(shown),
            evidence=evidence,
        )
        view = promotion_rendering.promoted_view(published, frozen(desk.journal, kb))
    emit(promotion_rendering.promoted_object(published), view, as_json=as_json)
    return Exit.OK


@click.command()
@kb_argument
@click.argument("release", metavar="RELEASE")
@click.option("--model-only", is_flag=True, help="Keep the snapshot that answers now.")
@click.option("--why", metavar="TEXT", default="asked for by hand", help="For the history.")
@by_option
@as_json_option
@click.pass_context
def rollback(
    context: click.Context,
    kb: str,
    release: str,
    *,
    model_only: bool,
    why: str,
    by: str,
    as_json: bool,
) -> None:
    """Publish an earlier RELEASE of KB again, and stop refreshes from undoing it."""
    with working_desk_of(context, kb) as desk:
        published = go_back(
            desk, Display(), release, actor=person(by), why=why, model_only=model_only
        )
        freeze = frozen(desk.journal, kb)
    payload = {**promotion_rendering.promoted_object(published), "frozen": freeze is not None}
    emit(payload, promotion_rendering.promoted_view(published, freeze), as_json=as_json)


@click.command()
@kb_argument
@click.option("--why", metavar="TEXT", default="asked for by hand", help="For the history.")
@by_option
@as_json_option
@click.pass_context
def resume(context: click.Context, kb: str, *, why: str, by: str, as_json: bool) -> None:
    """Let refreshes of KB publish again after a rollback."""
    with desk_of(context, kb) as desk:
        lifted = let_go_on(desk, actor=person(by), why=why)
    told = (
        f"{kb} was frozen by {lifted.actor} ({lifted.why}). It goes on from here."
        if lifted
        else f"{kb} was not frozen. Nothing was changed."
    )
    emit({"kb": kb, "resumed": lifted is not None}, told, as_json=as_json)
