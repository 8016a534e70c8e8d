"""metrics: the figures of status for Prometheus, once or whenever it asks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import click

from flows.commands.options import as_json_option, settings_of
from flows.settings.settings import Settings
from flows.showing.display import emit
from flows.showing.look import journal_to_read, look
from flows.showing.metrics import Measured, Totals, served, text_of


@click.command()
@click.option(
    "--serve",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Serve them on this machine until Ctrl-C; 0 takes a free port.",
)
@as_json_option
@click.pass_context
def metrics(context: click.Context, *, serve: int | None, as_json: bool) -> None:
    """Print how every knowledge base stands in Prometheus' text format."""
    reader = _Reader(settings_of(context))
    if serve is None:
        text = text_of(reader)
        emit({"text": text}, text.rstrip("\n"), as_json=as_json)
        return
    with served(reader, serve) as address:
        emit({"address": address}, f"Metrics at {address}. Ctrl-C stops.", as_json=as_json)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)


class _Reader:
    """Reads how every knowledge base stands, and remembers what it has counted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._totals = {name: Totals() for name in settings.kb}
        # Two askers at once must not count one entry twice.
        self._counting = threading.Lock()

    def __call__(self) -> list[Measured]:
        """Return every knowledge base, by name."""
        settings, now = self._settings, datetime.now(UTC)
        measured = []
        with self._counting, journal_to_read(settings) as journal:
            for name, totals in sorted(self._totals.items()):
                totals.read_on(journal, name)
                # No scheduler is asked: when the next check is due is not among the figures.
                status = look(settings, journal, name, slots=(), now=now)
                measured.append(Measured(status, totals))
        return measured
