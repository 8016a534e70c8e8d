"""Builders of records, a deterministic embedder, and a folder that is written like a dict."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.drafting import Draft, plan_refresh
from retrieval.embedders import PROBE_TEXTS
from retrieval.guards import RefreshLimits, guard
from retrieval.records import Chunk, Refreshed, RefreshPlan
from retrieval.refresh import apply_refresh
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed, Source
from retrieval.sources.folder import FolderSource, path_from_uri
from retrieval.store import Index

KB = "docs"
DIMENSION = 8


@dataclass
class HashingEmbedder:
    """Vectors from the text's own hash, tokens from its words: fast, and the same everywhere.

    It keeps every text it embedded, so that a test can say what was embedded and what was not;
    the probes, which tell embedders apart, are not counted.
    """

    fingerprint: str = "a" * 64
    dimension: int = DIMENSION
    max_tokens: int = 64
    embedded: list[str] = field(default_factory=list)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [2 + len(re.findall(r"\w{1,6}|[^\w\s]", text)) for text in texts]

    def embed(
        self, texts: Sequence[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        self.embedded += [text for text in texts if text not in PROBE_TEXTS]
        if on_progress is not None:
            on_progress(len(texts), len(texts))
        rows = np.array([_numbers(text) for text in texts], dtype=np.float32)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def _numbers(text: str) -> list[int]:
    digest = hashlib.sha256(text.encode()).digest()
    return [byte - 128 or 1 for byte in digest[:DIMENSION]]


@dataclass
class Corpus:
    """A folder of documents, its index and an embedder: all that a refresh needs."""

    folder: Path
    index: Index
    embedder: HashingEmbedder
    cache: ScanCache = field(default_factory=lambda: ScanCache(None))

    @property
    def source(self) -> FolderSource:
        return FolderSource(self.folder)

    def write(self, documents: Mapping[str, str | bytes]) -> None:
        for uri, content in documents.items():
            path = self.path(uri)
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 any bytes
            with open(path, "wb") as file:  # noqa: PTH123 any bytes
                file.write(content.encode() if isinstance(content, str) else content)

    def delete(self, *uris: str) -> None:
        for uri in uris:
            os.unlink(self.path(uri))  # noqa: PTH108 any bytes

    def path(self, uri: str) -> str:
        return f"{self.folder}/{path_from_uri(uri)}"

    def draft(self, source: Source | None = None) -> Draft:
        feeds = (Feed(source or self.source),)
        return plan_refresh(feeds, self.index, self.embedder, cache=self.cache)

    def plan(self, source: Source | None = None) -> RefreshPlan:
        with self.draft(source) as draft:
            return draft.plan

    def chunks(self) -> list[Chunk]:
        """Return the chunks that a refresh would write."""
        with self.draft() as draft:
            draft.spool.keep(dict.fromkeys(_digests(draft), np.zeros(DIMENSION, np.float32)))
            return [chunk for chunks, _ in draft.spool.rows() for chunk in chunks]

    def apply(self, draft: Draft, *, run_id: str = "run") -> Refreshed:
        return apply_refresh(draft, self.index, self.embedder, run_id=run_id, cache=self.cache)

    def refresh(self, *, run_id: str = "run") -> Refreshed:
        with self.draft() as draft:
            return self.apply(draft, run_id=run_id)

    def planned_refresh(self, source: Source | None = None) -> tuple[RefreshPlan, Refreshed]:
        with self.draft(source) as draft:
            return draft.plan, self.apply(draft)

    def guarded_refresh(self, *, accepted: str | None = None) -> Refreshed:
        with self.draft() as draft:
            guard(draft.plan, RefreshLimits(), accepted)
            return self.apply(draft)

    def texts(self) -> dict[str, str]:
        """Return the newest snapshot's text of each document, chunks joined."""
        head = self.index.head()
        if head is None:
            return {}
        joined: dict[str, list[str]] = {}
        for row in self.index.chunk_table(head).to_pylist():
            joined.setdefault(row["uri"], []).append(row["text"])
        return {uri: "\n\n".join(parts) for uri, parts in joined.items()}


def _digests(draft: Draft) -> list[str]:
    return [digest for digests in draft.spool.missing_digests() for digest in digests]


def paragraph(seed: str, *, words: int = 12) -> str:
    """Return a paragraph of made-up words, the same for the same seed.

    >>> paragraph("a", words=2) == paragraph("a", words=2) != paragraph("b", words=2)
    True
    """
    made = (hashlib.sha256(f"{seed} {at}".encode()).hexdigest()[:5] for at in range(words))
    return " ".join(made) + "."
