"""Options that narrow a search, shared by search and ask."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from retrieval.filters import Filters
from retrieval.records import Flag

_OPTIONS = (
    click.option("--uri", multiple=True, metavar="GLOB", help="Only documents like this."),
    click.option("--source", multiple=True, metavar="NAME", help="Only of this source."),
    click.option("--type", "media_type", multiple=True, help="Only this media type."),
    click.option("--trusted", is_flag=True, help="Only text of trusted sources."),
    click.option("--unflagged", is_flag=True, help="Nothing with a secret or an injection in it."),
    click.option("--since", type=click.DateTime(), help="Only documents changed since (UTC)."),
    click.option("--until", type=click.DateTime(), help="Only documents changed before (UTC)."),
    click.option("--heading", default="", metavar="TEXT", help="Only under such a heading."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as one argument, `filters`."""

    @functools.wraps(command)
    def with_filters(
        *arguments: Any,
        uri: tuple[str, ...],
        source: tuple[str, ...],
        media_type: tuple[str, ...],
        trusted: bool,
        unflagged: bool,
        since: datetime | None,
        until: datetime | None,
        heading: str,
        **others: Any,
    ) -> Any:
        filters = Filters(
            uris=uri,
            sources=source,
            media_types=media_type,
            trusts=("trusted",) if trusted else (),
            without_flags=tuple(Flag) if unflagged else (),
            modified_since=_utc(since),
            modified_until=_utc(until),
            heading=heading,
        )
        return command(*arguments, filters=filters, **others)

    decorated: Callable[..., Any] = with_filters
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
