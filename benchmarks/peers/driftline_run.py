"""Driftline's own side, run by the project's Python under the same rules as the peers'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from measuring import DEPTH, DIMENSION, CountingEmbedder, Found, ModelEmbedder, Side, main

from retrieval.drafting import plan_refresh
from retrieval.embedders import PROBE_TEXTS
from retrieval.embedding import LocalEmbedder, OnProgress, Vector, Vectors
from retrieval.parsing_process import Parser
from retrieval.refresh import apply_refresh
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed
from retrieval.sources.folder import FolderSource
from retrieval.store import Index
from retrieval.table_search import Query
from retrieval.vector_journal import VectorJournal

KB = "docs"
# The engine is measured once on a machine; that is not what a refresh costs.
_CHOICES = Path(__file__).resolve().parents[2] / ".bench" / "embedders"


class _Counted:
    """The project's own embedder for a model, else the trivial one: four characters a token."""

    dimension = DIMENSION

    def __init__(self, counting: CountingEmbedder) -> None:
        self._counting = counting
        self._local = (
            LocalEmbedder(counting.folder, cache=_CHOICES)
            if isinstance(counting, ModelEmbedder)
            else None
        )
        self.fingerprint = self._local.fingerprint if self._local else "trivial"
        self.max_tokens = self._local.max_tokens if self._local else 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if self._local is None:
            return [len(text) // 4 + 2 for text in texts]
        return self._local.count_tokens(texts)

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        # The probes tell embedders apart; they are no chunks.
        self._counting.embedded -= len(set(texts) & set(PROBE_TEXTS))
        if self._local is None:
            return self._counting.vectors(texts)
        self._counting.embedded += len(texts)
        return self._local.embed(texts, on_progress=on_progress)

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self.embed([text])[0]
        return vector


def refresh(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    """Plan and apply: the one place here that knows how the project refreshes."""
    index, counted = Index(state / "index", KB), _Counted(embedder)
    cache = ScanCache(state / "scan.db")
    journal = VectorJournal(state / "vectors.db", counted.fingerprint)
    feeds = (Feed(FolderSource(documents)),)
    with (
        Parser() as parser,
        plan_refresh(
            feeds, index, counted, cache=cache, journal=journal, parse_document=parser.parse_body
        ) as draft,
    ):
        apply_refresh(draft, index, counted, run_id="benchmark", cache=cache, journal=journal)


def search(documents: Path, state: Path, embedder: CountingEmbedder, question: str) -> Found:
    """Return the chunks found: the one place here that knows how the project searches."""
    del documents  # a uri is relative to it already
    index, vector = Index(state / "index", KB), _counted(embedder).embed_query(question)
    snapshot = index.head()
    hits = index.search(snapshot, Query(question, vector, DEPTH)) if snapshot else ()
    return [(hit.uri, hit.text) for hit in hits]


@cache
def _counted(embedder: CountingEmbedder) -> _Counted:
    return _Counted(embedder)  # once a process: it loads the model


if __name__ == "__main__":
    main(Side(refresh, search, "index", KB))
