"""search and ask."""

from __future__ import annotations

import click
from rich.console import Group
from rich.text import Text

from flows import rendering
from flows.answer import ask as answer_question
from flows.answer import search as find_chunks
from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.display import Display, emit

_limit_option = click.option(
    "--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Count of chunks."
)
_as_of_option = click.option("--as-of", metavar="RELEASE", help="An earlier release's id.")


@click.command()
@kb_argument
@click.argument("text")
@_limit_option
@_as_of_option
@as_json_option
@click.pass_context
def search(
    context: click.Context, kb: str, text: str, *, limit: int, as_of: str | None, as_json: bool
) -> None:
    """Find the chunks of KB that are nearest to TEXT."""
    with desk_of(context, kb) as desk:
        published, hits = find_chunks(
            desk, _question(text), Display(), limit=limit, as_of=as_of
        )
    emit(rendering.hits_object(published, hits), rendering.hits_view(hits), as_json=as_json)


@click.command()
@kb_argument
@click.argument("text")
@_limit_option
@_as_of_option
@as_json_option
@click.pass_context
def ask(
    context: click.Context, kb: str, text: str, *, limit: int, as_of: str | None, as_json: bool
) -> None:
    """Answer TEXT from the documents of KB with its champion, and cite them."""
    with desk_of(context, kb) as desk:
        answered = answer_question(
            desk, _question(text), Display(), limit=limit, as_of=as_of
        )
    payload = {
        **rendering.hits_object(answered.published, answered.hits),
        "answer": answered.text,
        "citations": [{"uri": hit.uri, "chunk": hit.chunk} for hit in answered.citations],
    }
    cited = [
        Text(f"  [{place}] {' › '.join((rendering.printable(hit.uri), *hit.headings[-1:]))}")
        for place, hit in enumerate(answered.citations, start=1)
    ]
    stamp = Text(f"release {answered.published.release.id}", style="dim")
    emit(payload, Group(Text(answered.text, style="bold"), *cited, stamp), as_json=as_json)


_LONGEST_QUESTION = 8_000


def _question(text: str) -> str:
    """Return the question without what no model reads; raise for an empty or an endless one."""
    cleaned = text.replace("\0", " ").strip()
    if not cleaned or len(cleaned) > _LONGEST_QUESTION:
        problem = "is empty" if not cleaned else f"has {len(cleaned):,} characters"
        msg = f"The question {problem}; ask with 1 to {_LONGEST_QUESTION:,} characters."
        raise click.UsageError(msg)
    return cleaned
