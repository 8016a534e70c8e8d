"""Options that several commands share, and opening a desk for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from flows.desk import Desk, open_desk
from flows.settings import Settings, load_settings

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
kb_argument = click.argument("kb", metavar="KB")


def settings_of(context: click.Context) -> Settings:
    """Read the settings that this call is about."""
    config: Path | None = context.find_root().obj
    return load_settings(config)


@contextmanager
def desk_of(context: click.Context, kb: str) -> Iterator[Desk]:
    """Open the desk of one knowledge base."""
    with open_desk(settings_of(context), kb) as desk:
        yield desk
