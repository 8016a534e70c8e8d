"""Find chunks in the release that answers, and answer from them; every answer is stamped."""

from __future__ import annotations

from dataclasses import dataclass

from flows.desk import Desk
from flows.errors import NoReleaseError
from flows.release import Published
from flows.steps import Perform
from retrieval.errors import EmbedderChangedError
from retrieval.records import Hit, Snapshot
from training.answering import Answerer, Passage


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, the hits it was given, and those among them that it rests on."""

    published: Published
    hits: tuple[Hit, ...]
    text: str
    citations: tuple[Hit, ...]


def release_at(desk: Desk, release_id: str | None) -> Published:
    """Return the publication that answers now, or the newest one of a release's id."""
    if release_id is None:
        found = desk.journal.serving(desk.name)
        asked, cure = "no release yet", f"Make one with `driftline refresh {desk.name}`."
    else:
        found = desk.journal.published(desk.name, release_id)
        asked, cure = f"no release {release_id!r}", f"`driftline history {desk.name}` lists them."
    if found is None:
        msg = f"Knowledge base {desk.name!r} has {asked}. {cure}"
        raise NoReleaseError(msg)
    return found


def search(
    desk: Desk, text: str, perform: Perform, *, limit: int, as_of: str | None = None
) -> tuple[Published, tuple[Hit, ...]]:
    """Return the chunks nearest to a text in one pinned release, closest first."""
    published = release_at(desk, as_of)
    release = published.release
    if desk.embedder.fingerprint != release.embedder:
        msg = (
            f"Release {release.id} was embedded by another model than {desk.embedder.name!r}. "
            "Name that model in `[embedder] model` to search it."
        )
        raise EmbedderChangedError(msg)
    vector = perform("Embedding the question", lambda _: desk.embedder.embed([text])[0])
    return published, desk.index.search(Snapshot.parse(release.snapshot), vector, limit)


def ask(
    desk: Desk, question: str, perform: Perform, *, limit: int, as_of: str | None = None
) -> Answered:
    """Answer from the nearest chunks with the release's own model, and say which it used."""
    published, hits = search(desk, question, perform, limit=limit, as_of=as_of)
    release = published.release
    version = desk.registry.version(release.model_name, release.model_version)
    answerer = perform("Loading the champion", lambda _: Answerer(desk.base, version.adapter_folder))
    passages = [Passage(title=" > ".join((hit.title, *hit.headings[1:])), text=hit.text) for hit in hits]
    answer = perform("Answering", lambda _: answerer.answer(question, passages))
    return Answered(published, hits, answer.text, tuple(hits[i] for i in answer.cited))
