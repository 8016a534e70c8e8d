"""Find chunks in one pinned release: by meaning and by words, fused, and filtered if asked."""

from __future__ import annotations

from flows.desk import Desk
from flows.release import Published
from flows.steps import Perform
from retrieval.errors import EmbedderChangedError
from retrieval.filters import Filters
from retrieval.records import Hit, Snapshot


def search(
    desk: Desk,
    text: str,
    perform: Perform,
    *,
    limit: int,
    as_of: str | None = None,
    filters: Filters | None = None,
) -> tuple[Published, tuple[Hit, ...]]:
    """Return the chunks that answer a text best in one pinned release, best first."""
    published = desk.release(as_of)
    release = published.release
    if desk.embedder.fingerprint != release.embedder:
        msg = (
            f"Release {release.id} was embedded by another model than "
            f"{desk.settings.embedder.model!r}. Name that model in `[embedder] model` to search it."
        )
        raise EmbedderChangedError(msg)
    vector = perform("Embedding the question", lambda _: desk.embedder.embed_query(text))
    # lancedb, which is not loaded to read the journal
    from retrieval.table_search import Query

    query = Query(text, vector, limit, filters or Filters())
    return published, desk.index.search(Snapshot.parse(release.snapshot), query)
