"""Answer from the chunks of one pinned release with its own model; every answer is stamped."""

from __future__ import annotations

from dataclasses import dataclass

from flows.desk import Desk
from flows.examining.standby import with_a_whole_model
from flows.release import Published
from flows.search import search
from flows.steps import Perform
from retrieval.filters import Filters
from retrieval.records import Hit
from training.answering import Answerer
from training.errors import ModelCorruptError
from training.records import Passage


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, the hits it was given, and those among them that it rests on."""

    published: Published
    hits: tuple[Hit, ...]
    text: str
    citations: tuple[Hit, ...]


def ask(
    desk: Desk,
    question: str,
    perform: Perform,
    *,
    limit: int,
    as_of: str | None = None,
    filters: Filters | None = None,
) -> Answered:
    """Answer from the nearest chunks with the release's own model, and say which it used."""
    published, hits = search(desk, question, perform, limit=limit, as_of=as_of, filters=filters)
    release = published.release
    try:
        version = desk.registry.version(release.model_name, release.model_version)
    except ModelCorruptError as error:
        if as_of is not None:
            raise
        earlier = with_a_whole_model(desk, published, error).release.id
        return ask(desk, question, perform, limit=limit, as_of=earlier, filters=filters)
    adapter = version.adapter_folder
    answerer = perform("Loading the champion", lambda _: Answerer(desk.base, adapter))
    passages = [Passage(" > ".join((hit.title, *hit.headings[1:])), hit.text) for hit in hits]
    answer = perform("Answering", lambda _: answerer.answer(question, passages))
    cited = tuple(hits[number - 1] for number in answer.citations)
    return Answered(published, hits, answer.text, cited)
