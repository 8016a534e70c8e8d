"""Driftline's own side, run by the project's Python under the same rules as the peers'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from measuring import DEPTH, DIMENSION, CountingEmbedder, Found, ModelEmbedder, Side, main

from retrieval.embedding import LocalEmbedder, OnProgress, Vectors
from retrieval.refresh import apply_refresh, plan_refresh
from retrieval.sources.folder import FolderSource
from retrieval.store import Index
from retrieval.token_estimate import approximate_tokens

KB = "docs"


class _Counted:
    """The project's own embedder for a model, else the trivial one with estimated tokens."""

    dimension = DIMENSION

    def __init__(self, counting: CountingEmbedder) -> None:
        self._counting = counting
        self._local = (
            LocalEmbedder(counting.folder) if isinstance(counting, ModelEmbedder) else None
        )
        self.fingerprint = self._local.fingerprint if self._local else "trivial"
        self.max_tokens = self._local.max_tokens if self._local else 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._local.count_tokens(texts) if self._local else approximate_tokens(texts)

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        if self._local is None:
            return self._counting.vectors(texts)
        self._counting.embedded += len(texts)
        return self._local.embed(texts, on_progress=on_progress)


def refresh(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    """Plan and apply: the one place here that knows how the project refreshes."""
    source, index, counted = FolderSource(documents), Index(state / "index", KB), _Counted(embedder)
    plan = plan_refresh(source, index, counted)
    apply_refresh(plan, index, counted, run_id="benchmark")


def search(documents: Path, state: Path, embedder: CountingEmbedder, question: str) -> Found:
    """Return the chunks found: the one place here that knows how the project searches."""
    del documents  # a uri is relative to it already
    index, vector = Index(state / "index", KB), _counted(embedder).embed([question])[0]
    snapshot = index.head()
    hits = index.search(snapshot, vector, DEPTH) if snapshot else ()
    return [(hit.uri, hit.text) for hit in hits]


@cache
def _counted(embedder: CountingEmbedder) -> _Counted:
    return _Counted(embedder)  # once a process: it loads the model


if __name__ == "__main__":
    main(Side(refresh, search, "index", KB))
