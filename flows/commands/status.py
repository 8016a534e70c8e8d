"""status: reads the journal, asks Prefect for the next run within a second, looks at the disk."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from flows.commands.options import as_json_option, settings_of
from flows.settings.settings import Settings
from flows.showing.display import emit
from flows.showing.look import Status, journal_to_read, look
from flows.showing.next_run import prefect_server, scheduled
from flows.showing.standing import overview, status_view
from flows.showing.standing_object import status_object

_EVERY_SECONDS = 5.0


@click.command()
@click.argument("kb", metavar="[KB]", default="")
@click.option("--watch", is_flag=True, help="Show it again every five seconds, until Ctrl-C.")
@as_json_option
@click.pass_context
def status(context: click.Context, kb: str, *, watch: bool, as_json: bool) -> None:
    """Show what answers now, how fresh and how stale it is, and what needs a person."""
    settings = settings_of(context)
    names = [kb] if kb and settings.knowledge_base(kb) else sorted(settings.kb)
    if not watch:
        _show(_look(settings, names), as_json=as_json)
        return
    try:
        while True:
            statuses = _look(settings, names)
            if not as_json:
                click.clear()
            _show(statuses, as_json=as_json)
            time.sleep(_EVERY_SECONDS)
    except KeyboardInterrupt:
        click.echo("Stopped watching.", err=True)


def _look(settings: Settings, names: list[str]) -> list[Status]:
    slots, now = scheduled(prefect_server(settings)), datetime.now(UTC)
    with journal_to_read(settings) as journal:
        return [look(settings, journal, name, slots=slots, now=now) for name in names]


def _show(statuses: list[Status], *, as_json: bool) -> None:
    payload = {each.standing.kb: status_object(each) for each in statuses}
    view = status_view(statuses[0]) if len(statuses) == 1 else overview(statuses)
    emit(payload, view, as_json=as_json)
