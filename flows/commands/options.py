"""Options that several commands share, and opening a desk for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from flows.desk import Desk, open_desk
from flows.settings.settings import Settings, load_settings
from flows.telling.delivery import Couriers
from flows.telling.duty import delivering, on_duty

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


@contextmanager
def working_desk_of(context: click.Context, kb: str) -> Iterator[Desk]:
    """Open the desk of one knowledge base for work that people are told of, and tell them."""
    with desk_of(context, kb) as desk, delivering(desk, Couriers()):
        yield desk


@contextmanager
def desk_on_duty_of(context: click.Context, kb: str) -> Iterator[Desk]:
    """Open the desk of one knowledge base for a run that nobody watches: a failure is told."""
    with on_duty(settings_of(context), kb, couriers=Couriers()) as desk:
        yield desk
