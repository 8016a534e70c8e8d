"""search, and the options that ask shares with it."""

from __future__ import annotations

import click

from flows import stale
from flows.commands.filters import filter_options
from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.search import search as find_chunks
from flows.showing import results as rendering
from flows.showing.display import Display, emit
from retrieval.filters import Filters

_LONGEST_QUESTION = 8_000

limit_option = click.option(
    "--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Count of chunks."
)
as_of_option = click.option("--as-of", metavar="RELEASE", help="An earlier release's id.")


@click.command()
@kb_argument
@click.argument("text")
@limit_option
@as_of_option
@filter_options
@as_json_option
@click.pass_context
def search(
    context: click.Context,
    kb: str,
    text: str,
    *,
    limit: int,
    as_of: str | None,
    filters: Filters,
    as_json: bool,
) -> None:
    """Find the chunks of KB that answer TEXT best, by meaning and by words."""
    with desk_of(context, kb) as desk:
        question = question_of(text)
        published, hits = find_chunks(
            desk, question, Display(), limit=limit, as_of=as_of, filters=filters
        )
        old = {} if as_of else stale.documents(desk)
    emit(
        rendering.hits_object(published, hits, old),
        rendering.hits_view(hits, old),
        as_json=as_json,
    )


def question_of(text: str) -> str:
    """Return the question without what no model reads; raise for an empty or an endless one."""
    # A terminal hands over bytes that are no Unicode as half characters.
    cleaned = text.encode(errors="replace").decode().replace("\0", " ").strip()
    if not cleaned or len(cleaned) > _LONGEST_QUESTION:
        problem = "is empty" if not cleaned else f"has {len(cleaned):,} characters"
        msg = f"The question {problem}; ask with 1 to {_LONGEST_QUESTION:,} characters."
        raise click.UsageError(msg)
    return cleaned
