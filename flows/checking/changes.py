"""Read two snapshots of an index as a comparison: outlines of both, and the text that differs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from monitors.asking.searches import remembered, search_anew
from monitors.pair import Outline, Pair, differ, pair_of
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.store import Index


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two snapshots as the detectors read them, and the chunk tables that this was made of.

    `before` has the documents that were edited or are gone as they were, `now` those that are new
    or edited, `steady` a sample of those that are the same.
    """

    pair: Pair
    before: pa.Table
    now: pa.Table
    steady: pa.Table


def read_pair(index: Index, reference: Snapshot, current: Snapshot) -> Pair:
    """Return two snapshots as the detectors read them."""
    return read_changes(index, reference, current).pair


def read_changes(index: Index, reference: Snapshot, current: Snapshot) -> Comparison:
    """Read two outlines, and then the text and the vectors of what differs between them."""
    old, new = _outline(index, reference), _outline(index, current)
    difference = differ(old, new)
    # Vectors of two embedders say nothing about each other.
    comparable = index.recipe(reference).embedder == index.recipe(current).embedder
    read = partial(index.chunk_table, vectors=comparable)
    before = read(reference, uris=difference.before)
    now = read(current, uris=difference.now)
    steady = read(current, uris=difference.sampled)
    was, said, kept = (table["text"].to_pylist() for table in (before, now, steady))
    search = remembered(partial(index.best_texts, reference))
    pair = pair_of(
        old,
        new,
        difference,
        before=before,
        now=now,
        steady=steady,
        nearest=partial(index.best_cosines, reference) if comparable else None,
        search_reference=search,
        search_current=search_anew(search, gone=set(was) - set(said), now=[*said, *kept]),
    )
    return Comparison(pair, before, now, steady)


def _outline(index: Index, snapshot: Snapshot) -> Outline:
    read = index.outline(snapshot)
    return Outline(read.documents, read.chunks)
