"""Two versions of one corpus as the detectors read them: an outline of all, the text of a change.

What a comparison costs follows the change: the outline names every chunk by its digest, text is
read of the documents that differ, and of a sample of the rest whose size is fixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitors.changes import change_kinds
from monitors.corpus import Corpus
from monitors.hygiene.folders import Folders
from monitors.records import ChangeKind

# Whole documents until they hold so many chunks, enough for means to within a few percent, and are
# so many, enough for a test over documents; one with over a fifth of the chunks is passed over.
SAMPLED_CHUNKS = 1_000
_SAMPLED_DOCUMENTS = 100

Nearest = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Vectors (rows, dimension) in, each one's best cosine (rows,) to the whole reference out."""

Search = Callable[[Sequence[str]], list[list[str]]]
"""Questions in, for each the texts of the five chunks that full-text search finds best out."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What every chunk of a snapshot is, without its text.

    `documents` has a row a document (uri, document_digest), `chunks` one a chunk (uri,
    normal_digest), both in any order.
    """

    documents: pa.Table
    chunks: pa.Table

    @classmethod
    def of_table(cls, table: pa.Table) -> Outline:
        """Return the outline of a whole chunk table."""
        documents = table.select(["uri", "document_digest"]).group_by("uri", use_threads=False)
        named = documents.aggregate([("document_digest", "first")])
        named = named.rename_columns(["uri", "document_digest"])
        return cls(named, table.select(["uri", "normal_digest"]))


@dataclass(frozen=True, slots=True)
class Difference:
    """Which documents differ, by uri, and which of the others are read as a sample."""

    kinds: dict[str, ChangeKind]
    sampled: tuple[str, ...]

    @property
    def before(self) -> tuple[str, ...]:
        """What is to be read of the reference: documents that were edited or are gone."""
        return self._of(ChangeKind.EDITED, ChangeKind.REMOVED)

    @property
    def now(self) -> tuple[str, ...]:
        """What is to be read of the current side: documents that are new or were edited."""
        return self._of(ChangeKind.EDITED, ChangeKind.NEW)

    def _of(self, *kinds: ChangeKind) -> tuple[str, ...]:
        return tuple(sorted(uri for uri, kind in self.kinds.items() if kind in kinds))


def differ(reference: Outline, current: Outline, *, sampled: int = SAMPLED_CHUNKS) -> Difference:
    """Return what differs between two outlines; the sample is the same for the same documents.

    Documents are drawn by the digest of their uri, whole, until they are enough.
    """
    old, new = _digests(reference), _digests(current)
    kinds = change_kinds(old, new)
    counted = pc.value_counts(current.chunks["uri"])
    sizes = dict(zip(*(counted.field(at).to_pylist() for at in (0, 1)), strict=True))
    steady = (uri for uri, digest in new.items() if old.get(uri) == digest)
    held = 0
    drawn: list[str] = []
    for uri in sorted(steady, key=lambda uri: hashlib.sha256(uri.encode()).digest()):
        if held >= sampled and len(drawn) >= _SAMPLED_DOCUMENTS:
            break
        if sizes.get(uri, 0) <= sampled // 5:
            drawn.append(uri)
            held += sizes.get(uri, 0)
    return Difference(kinds, tuple(sorted(drawn)))


@dataclass(frozen=True)
class Pair:
    """What the detectors measure. Both corpora hold whole documents, ordered by uri and ordinal.

    `reference` holds the documents that were edited or are gone as they were, `current` those that
    are new or edited as they are now, `steady` a sample of those that are the same. The digests
    are those of all chunks of a side, `folders` those of all documents. `nearest` and the searches
    are None where there is no embedder, and no index.
    """

    kinds: dict[str, ChangeKind]
    reference: Corpus
    current: Corpus
    steady: Corpus
    reference_digests: frozenset[str]
    current_digests: frozenset[str]
    reference_chunks: int
    current_chunks: int
    reference_documents: int
    current_documents: int
    nearest: Nearest | None = None
    search_reference: Search | None = None
    search_current: Search | None = None
    folders: Folders | None = None

    @cached_property
    def fresh(self) -> tuple[int, ...]:
        """Positions in `current` of texts that the reference lacks, each text once."""
        return _lacking(self.current, self.reference_digests)

    @cached_property
    def gone(self) -> tuple[int, ...]:
        """Positions in `reference` of texts that the current side lacks, each text once."""
        return _lacking(self.reference, self.current_digests)

    def without(self, uris: Collection[str]) -> Pair:
        """Return the pair as if these documents had not changed; sizes and digests stay."""
        left = frozenset(uris)
        if not left:
            return self
        return replace(
            self,
            kinds={uri: kind for uri, kind in self.kinds.items() if uri not in left},
            reference=self.reference.without(left),
            current=self.current.without(left),
        )


def pair_of(
    reference: Outline,
    current: Outline,
    difference: Difference,
    *,
    before: pa.Table,
    now: pa.Table,
    steady: pa.Table,
    nearest: Nearest | None = None,
    search_reference: Search | None = None,
    search_current: Search | None = None,
) -> Pair:
    """Put a pair together from what a difference asked to be read, as chunk tables."""
    return Pair(
        kinds=difference.kinds,
        reference=Corpus.from_table(before),
        current=Corpus.from_table(now),
        steady=Corpus.from_table(steady),
        reference_digests=frozenset(reference.chunks["normal_digest"].to_pylist()),
        current_digests=frozenset(current.chunks["normal_digest"].to_pylist()),
        reference_chunks=len(reference.chunks),
        current_chunks=len(current.chunks),
        reference_documents=len(reference.documents),
        current_documents=len(current.documents),
        nearest=nearest,
        search_reference=search_reference,
        search_current=search_current,
        folders=Folders.of(
            reference.documents["uri"].to_pylist(), current.documents["uri"].to_pylist()
        ),
    )


def pair_of_tables(
    reference: pa.Table,
    current: pa.Table,
    *,
    nearest: Nearest | None = None,
    search_reference: Search | None = None,
    search_current: Search | None = None,
) -> Pair:
    """Put a pair together from two whole chunk tables."""
    old, new = Outline.of_table(reference), Outline.of_table(current)
    difference = differ(old, new)
    return pair_of(
        old,
        new,
        difference,
        before=documents_of(reference, difference.before),
        now=documents_of(current, difference.now),
        steady=documents_of(current, difference.sampled),
        nearest=nearest,
        search_reference=search_reference,
        search_current=search_current,
    )


def documents_of(table: pa.Table, uris: Collection[str]) -> pa.Table:
    """Return the rows of these documents."""
    return table.filter(pc.is_in(table["uri"], value_set=pa.array(sorted(uris), pa.string())))


def _digests(outline: Outline) -> dict[str, str]:
    columns = (outline.documents[name].to_pylist() for name in ("uri", "document_digest"))
    return dict(zip(*columns, strict=True))


def _lacking(corpus: Corpus, known: frozenset[str]) -> tuple[int, ...]:
    first: dict[str, int] = {}
    for position, digest in enumerate(corpus.normal_digests):
        if digest not in known:
            first.setdefault(digest, position)
    return tuple(first.values())
