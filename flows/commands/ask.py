"""ask."""

from __future__ import annotations

import click
from rich.console import Group
from rich.text import Text

from flows import stale
from flows.ask import ask as answer_question
from flows.commands.filters import filter_options
from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.commands.search import as_of_option, limit_option, question_of
from flows.showing import results as rendering
from flows.showing.display import Display, emit
from monitors.wording import printable
from retrieval.filters import Filters


@click.command()
@kb_argument
@click.argument("text")
@limit_option
@as_of_option
@filter_options
@as_json_option
@click.pass_context
def ask(
    context: click.Context,
    kb: str,
    text: str,
    *,
    limit: int,
    as_of: str | None,
    filters: Filters,
    as_json: bool,
) -> None:
    """Answer TEXT from the documents of KB with its champion, and cite them."""
    with desk_of(context, kb) as desk:
        answered = answer_question(
            desk, question_of(text), Display(), limit=limit, as_of=as_of, filters=filters
        )
        old = {} if as_of else stale.documents(desk)
    payload = {
        **rendering.hits_object(answered.published, answered.hits, old),
        "answer": answered.text,
        "citations": [{"uri": hit.uri, "chunk": hit.chunk} for hit in answered.citations],
    }
    cited = [
        Text(f"  [{place}] {' > '.join((printable(hit.uri), *hit.headings[-1:]))}")
        for place, hit in enumerate(answered.citations, start=1)
    ]
    stamp = Text(f"release {answered.published.release.id}", style="dim")
    emit(payload, Group(Text(answered.text, style="bold"), *cited, stamp), as_json=as_json)
