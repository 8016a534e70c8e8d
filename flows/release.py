"""A release: everything that answers, under one content id. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Release:
    """Snapshot, adapter, base model, embedder and prompt: what answers, published as one.

    `snapshot` and `model_version` are addresses (where to find the parts), the digests are the
    parts. `trained_on` is the snapshot that the model knows: the reference of every drift check.
    """

    kb: str
    snapshot: str
    content_digest: str
    embedder: str
    model_name: str
    model_version: int
    trained_on: str
    base: str
    base_digest: str
    adapter_digest: str
    prompt_digest: str

    @property
    def id(self) -> str:
        """Return 16 hex digits over the parts: the same parts have the same id on any machine.

        >>> parts = dict(kb="docs", content_digest="c", embedder="e", model_name="m", base="b",
        ...              base_digest="b", adapter_digest="", prompt_digest="p")
        >>> one = Release(snapshot="docs@1", model_version=1, trained_on="docs@1", **parts)
        >>> two = Release(snapshot="docs@7", model_version=1, trained_on="docs@1", **parts)
        >>> one.id == two.id
        True
        """
        parts = (
            self.kb,
            self.content_digest,
            self.embedder,
            self.base_digest,
            self.adapter_digest,
            self.prompt_digest,
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Published:
    """One publication of a release in the history: when, of which kind, and why."""

    sequence: int
    time: datetime
    kind: str
    reason: str
    release: Release
