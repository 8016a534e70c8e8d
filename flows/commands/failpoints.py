"""failpoints: the places where a rehearsal can stop a run, and what is true at each."""

from __future__ import annotations

import click
from rich.table import Table

from flows.commands.options import as_json_option
from flows.failpoints import every_failpoint
from flows.showing.display import emit


@click.command()
@as_json_option
def failpoints(*, as_json: bool) -> None:
    """List the places where DRIFTLINE_FAILPOINT=NAME stops a run, to rehearse a recovery."""
    found = every_failpoint()
    table = Table("failpoint", "what is true there")
    for name, moment in found.items():
        table.add_row(name, moment)
    payload = [{"name": name, "moment": moment} for name, moment in found.items()]
    emit(payload, table, as_json=as_json)
