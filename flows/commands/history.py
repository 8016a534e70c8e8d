"""history: read from the journal alone, so it answers at once."""

from __future__ import annotations

import click

from flows.commands.options import as_json_option, settings_of
from flows.journal.head import Head, parse_head
from flows.journal.journal import open_journal
from flows.promoting.promotions import attempts
from flows.settings.settings import Settings
from flows.showing import chain as chain_rendering
from flows.showing import promotion as promotion_rendering
from flows.showing import results as rendering
from flows.showing.display import emit


def _head(_context: click.Context, _option: click.Parameter, text: str | None) -> Head | None:
    if text is None:
        return None
    head = parse_head(text)
    if head is None:
        msg = f"{text!r} is no entry as --verify shows it: a number, ':' and 64 digits."
        raise click.BadParameter(msg)
    return head


@click.command()
@click.argument("kb", metavar="KB", required=False)
@click.option("--promotions", is_flag=True, help="Every attempt to change the champion.")
@click.option("--verify", is_flag=True, help="Whether any entry of the journal was changed.")
@click.option(
    "--known",
    callback=_head,
    metavar="ENTRY",
    help="With --verify: an entry that was noted earlier, as --verify shows the newest one.",
)
@as_json_option
@click.pass_context
def history(
    context: click.Context,
    kb: str | None,
    *,
    promotions: bool,
    verify: bool,
    known: Head | None,
    as_json: bool,
) -> None:
    """Show every release of KB, newest last, or its promotions; or verify the whole journal."""
    settings = settings_of(context)
    if verify:
        _verify(settings, known, as_json=as_json)
        return
    if kb is None or known is not None:
        msg = "name a knowledge base, or ask for --verify, which alone takes --known."
        raise click.UsageError(msg)
    settings.knowledge_base(kb)
    with open_journal(settings.journal_url) as journal:
        published, tried = journal.history(kb), attempts(journal, kb)
    if promotions:
        view = promotion_rendering.promotions_view(tried)
        emit(promotion_rendering.promotions_object(tried), view, as_json=as_json)
        return
    emit(rendering.history_object(published), rendering.history_view(published), as_json=as_json)


def _verify(settings: Settings, known: Head | None, *, as_json: bool) -> None:
    with open_journal(settings.journal_url, head=settings.journal_head) as journal:
        chain = journal.verify(known)
    chain_rendering.refuse_damaged(chain)
    emit(chain_rendering.chain_object(chain), chain_rendering.chain_view(chain), as_json=as_json)
