"""Find chunks in one pinned release: by meaning and by words, fused, and filtered if asked."""

from __future__ import annotations

from flows.desk import Desk
from flows.erasing.erasures import why_gone
from flows.errors import SettingsError
from flows.examining.standby import is_set_aside, standing_in
from flows.release import Published
from flows.steps import Perform
from retrieval.errors import EmbedderChangedError, IndexCorruptError, SnapshotMissingError
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
    _require_sources(desk, filters or Filters())
    published = desk.release(as_of)
    release = published.release
    if desk.embedder.fingerprint != release.embedder:
        cure = f", or make a release with this one: `driftline refresh {desk.name}`"
        other = "" if as_of else cure
        msg = (
            f"Release {release.id} was embedded by another model than the settings name, "
            f"{desk.settings.embedder.model!r}. Name that model under [embedder] to search it"
            f"{other}."
        )
        raise EmbedderChangedError(msg)
    vector = perform("Embedding the question", lambda _: desk.embedder.embed_query(text))
    # lancedb, which is not loaded to read the journal
    from retrieval.table_search import Query

    query = Query(text, vector, limit, filters or Filters())
    try:
        return published, desk.index.search(Snapshot.parse(release.snapshot), query)
    except IndexCorruptError as error:
        if as_of is not None:
            raise
        return standing_in(desk, published, lambda at: desk.index.search(at, query), error)
    except SnapshotMissingError as error:
        if told := why_gone(desk.journal, desk.name, release.snapshot):
            msg = f"Release {release.id} of {published.time:%Y-%m-%d} was withdrawn. {told}"
            raise SnapshotMissingError(msg) from error
        if as_of is None and is_set_aside(desk, published):
            return standing_in(desk, published, lambda at: desk.index.search(at, query), error)
        msg = (
            f"Release {release.id} of {published.time:%Y-%m-%d} can no longer be searched. {error} "
            f"`driftline maintain` keeps what [kb.{desk.name}.keep] says; `driftline history "
            f"{desk.name}` lists the releases."
        )
        raise SnapshotMissingError(msg) from error


def _require_sources(desk: Desk, filters: Filters) -> None:
    """Raise SettingsError for a source that is not there: it would silently find nothing."""
    names = set(desk.kb.named_sources()) - {""}
    if strange := sorted(set(filters.sources) - names):
        known = f"There are: {', '.join(sorted(names))}."
        there = known if names else "It has one, without a name."
        msg = f"Knowledge base {desk.name!r} has no source {strange[0]!r}. {there}"
        raise SettingsError(msg)
