"""status and history: read from the journal alone, so they answer at once."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from flows import promotion_rendering, rendering
from flows.commands.options import as_json_option, kb_argument, settings_of
from flows.display import emit
from flows.journal import Journal, open_journal
from flows.promotions import attempts, frozen
from monitors.wording import percent


@click.command()
@as_json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show what answers now in every knowledge base, how fresh and how stale it is."""
    settings = settings_of(context)
    with open_journal(settings.journal_url) as journal:
        payload = {name: _status_of(journal, name) for name in sorted(settings.kb)}
    emit(payload, _status_view(payload), as_json=as_json)


@click.command()
@kb_argument
@click.option("--promotions", is_flag=True, help="Every attempt to change the champion.")
@as_json_option
@click.pass_context
def history(context: click.Context, kb: str, *, promotions: bool, as_json: bool) -> None:
    """Show every release of KB, newest last, with the reason of each; or its promotions."""
    settings = settings_of(context)
    settings.knowledge_base(kb)
    with open_journal(settings.journal_url) as journal:
        published, tried = journal.history(kb), attempts(journal, kb)
    if promotions:
        view = promotion_rendering.promotions_view(tried)
        emit(promotion_rendering.promotions_object(tried), view, as_json=as_json)
        return
    emit(rendering.history_object(published), rendering.history_view(published), as_json=as_json)


def _status_of(journal: Journal, kb: str) -> dict[str, Any]:
    serving = journal.serving(kb)
    refresh, check = journal.last(kb, "refresh"), journal.last(kb, "check")
    freeze = frozen(journal, kb)
    return {
        "release": serving.release.id if serving else None,
        "snapshot": serving.release.snapshot if serving else None,
        "model_version": serving.release.model_version if serving else None,
        "documents": refresh.payload["documents"] if refresh else 0,
        "chunks": refresh.payload["chunks"] if refresh else 0,
        "last_check": rendering.instant(check.time) if check else None,
        "staleness": check.payload["staleness"] if check else None,
        "decision": check.payload["action"] if check else None,
        "reason": check.payload["reason"] if check else None,
        "frozen": freeze.why if freeze else None,
        "next_run": None,
    }


def _status_view(payload: dict[str, Any]) -> Table:
    table = Table("knowledge base", "release", "snapshot", "model", "documents", "last check",
                  "staleness", "decision")  # fmt: skip
    for name, kb in payload.items():
        stale = percent(kb["staleness"]) if kb["staleness"] is not None else "not measured"
        table.add_row(
            name,
            f"{kb['release'] or 'none yet'}{' (frozen)' if kb['frozen'] is not None else ''}",
            kb["snapshot"] or "",
            str(kb["model_version"] or ""),
            str(kb["documents"]),
            kb["last_check"] or "never",
            stale,
            # The first sentence says why; the rest stands in the check.
            Text(f"{kb['decision']}: {kb['reason'].partition('. ')[0]}" if kb["decision"] else ""),
        )
    return table
