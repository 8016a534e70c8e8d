"""Find chunks in one pinned release."""

from __future__ import annotations

from flows.desk import Desk
from flows.release import Published
from flows.steps import Perform
from retrieval.errors import EmbedderChangedError
from retrieval.records import Hit, Snapshot


def search(
    desk: Desk, text: str, perform: Perform, *, limit: int, as_of: str | None = None
) -> tuple[Published, tuple[Hit, ...]]:
    """Return the chunks nearest to a text in one pinned release, closest first."""
    published = desk.release(as_of)
    release = published.release
    if desk.embedder.fingerprint != release.embedder:
        msg = (
            f"Release {release.id} was embedded by another model than "
            f"{desk.settings.embedder.model!r}. Name that model in `[embedder] model` to search it."
        )
        raise EmbedderChangedError(msg)
    vector = perform("Embedding the question", lambda _: desk.embedder.embed([text])[0])
    return published, desk.index.search(Snapshot.parse(release.snapshot), vector, limit)
