"""doctor: a line for each thing that Driftline runs on."""

from __future__ import annotations

import time
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from flows.commands.options import as_json_option
from flows.doctor import examine
from flows.examining.examination import Grade, Observation, status_of
from flows.showing.display import emit
from monitors.wording import printable

_STYLES = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.FAILED: "red"}


@click.command()
@as_json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> int:
    """Examine the machine, the settings and what they name; exit 0, 1 (warnings) or 2 (failed)."""
    began = time.monotonic()
    observed = examine(context.find_root().obj)
    status = status_of(observed)
    payload = {
        "status": status,
        "checks": [asdict(each) for each in observed],
        "seconds": round(time.monotonic() - began, 3),
    }
    emit(payload, _view(observed), as_json=as_json)
    return status


def _view(observed: tuple[Observation, ...]) -> Table:
    table = Table("what", "", "found", "cure")
    for each in observed:
        grade = Text(each.grade.value, style=_STYLES[each.grade])
        table.add_row(each.name, grade, Text(printable(each.said)), Text(printable(each.cure)))
    return table
