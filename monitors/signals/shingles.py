"""Unseen shingles: how much of what the corpus says now has never been said in the reference.

Formula: |S(current) - S(reference)| / |S(current)|, where S is the set of distinct runs of five
words over whole documents. Runs cross chunk borders, so chunking does not matter; words are
case-folded and free of markup, so reformatting does not matter; moved and copied chunks were seen.
Only chunks that one side lacks are read, with the few words around them: in the others everything
was seen, and how many runs they have is reckoned from a sample of them. So the cost follows the
change; the price is that half a chunk copied from a place that did not change counts as unseen.
Reference: A. Broder, "On the resemblance and containment of documents", 1997 (containment).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words
from monitors.pair import Pair

# Five words: long enough to be rare by chance, short enough to survive an edit next to them.
SIZE = 5
# Characters of a neighbour in which its four nearest words are looked for.
_AROUND = 200
# Chunks that did not change, in documents that did: enough for a mean to within a few percent.
_SAMPLED = 500
# Odd 64-bit constants spread word numbers over the hash space (Knuth's multiplicative hashing).
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
     0xA0761D6478BD642F],
    dtype=np.uint64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnseenShingles:
    """The share of unseen shingles, and the additive part of each chunk and document in them.

    `by_chunk` has a count for each chunk of the pair's current corpus, `shingles` how many
    distinct ones start in it, where it was read.
    """

    share: float
    unseen: int
    by_document: dict[str, int]
    by_chunk: NDArray[np.int64]
    shingles: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Windows:
    """Every shingle's hash, and the chunks that its first and its last word stand in."""

    hashes: NDArray[np.uint64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def measure(pair: Pair) -> UnseenShingles:
    """Compare the two sides of a pair; an empty current side has nothing unseen.

    >>> from monitors.pair import pair_of_tables
    >>> import pyarrow as pa
    >>> def table(text):
    ...     row = {"uri": "a.md", "ordinal": 0, "text": text, "headings": [],
    ...            "normal_digest": text, "document_digest": text}
    ...     return pa.Table.from_pylist([row])
    >>> old, new = table("one two three four five six"), table("One two three four five seven")
    >>> measure(pair_of_tables(old, new)).share
    0.5
    """
    numbers: dict[str, int] = {}
    known = np.unique(_windows(pair.reference, _apart(pair.reference, pair.gone), numbers).hashes)
    lacking = _lacking(pair.current, pair.reference_digests)
    present = _windows(pair.current, _apart(pair.current, np.flatnonzero(lacking)), numbers)
    distinct, at = np.unique(present.hashes, return_index=True)
    first, last = present.first[at], present.last[at]
    unseen = (lacking[first] | lacking[last]) & ~np.isin(distinct, known)
    by_chunk = np.bincount(first[unseen], minlength=len(pair.current))
    read = np.bincount(first, minlength=len(pair.current))
    total = int(read[lacking].sum()) + _unread(pair, read, lacking, numbers)
    return UnseenShingles(
        share=min(1.0, float(unseen.sum()) / total) if total else 0.0,
        unseen=int(unseen.sum()),
        by_document=_by_document(pair.current, by_chunk),
        by_chunk=by_chunk,
        shingles=read,
    )


def hashes(corpus: Corpus, numbers: dict[str, int]) -> NDArray[np.uint64]:
    """Return the hash of every shingle of a corpus, in reading order, copies included.

    `numbers` numbers the words, and is added to: hashes made with the same are comparable.
    """
    return _windows(corpus, np.ones(len(corpus), bool), numbers).hashes


def _lacking(corpus: Corpus, known: frozenset[str]) -> NDArray[np.bool_]:
    return np.array([digest not in known for digest in corpus.normal_digests], dtype=bool)


def _apart(corpus: Corpus, positions: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    chosen = np.zeros(len(corpus), dtype=bool)
    chosen[np.asarray(positions, dtype=np.int64)] = True
    return chosen


def _unread(
    pair: Pair, read: NDArray[np.int64], lacking: NDArray[np.bool_], numbers: dict[str, int]
) -> float:
    """Return about how many distinct shingles stand in the chunks that were not read.

    Those of documents that differ, and those of all others, each by a sample of them; where there
    is none to sample, as many a chunk as in what was read.
    """
    kept = np.flatnonzero(~lacking)
    beside = _mean(pair.current.take(kept.tolist()), numbers)
    otherwise = beside or int(read[lacking].sum()) / max(1, int(lacking.sum()))
    elsewhere = pair.current_chunks - len(pair.current)
    return len(kept) * beside + elsewhere * (_mean(pair.steady, numbers) or otherwise)


def _mean(corpus: Corpus, numbers: dict[str, int]) -> float:
    """Return how many distinct shingles a chunk has, by a sample; 0 for no chunks."""
    sampled = corpus.take(range(0, len(corpus), max(1, len(corpus) // _SAMPLED)))
    return len(np.unique(hashes(sampled, numbers))) / max(1, len(sampled))


def _by_document(corpus: Corpus, by_chunk: NDArray[np.int64]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for position in np.flatnonzero(by_chunk):
        counted[corpus.uris[position]] += int(by_chunk[position])
    return dict(counted)


def _windows(corpus: Corpus, chosen: NDArray[np.bool_], numbers: dict[str, int]) -> _Windows:
    """Hash the shingles of each run of chosen chunks, and those that reach over its borders."""
    found, firsts, lasts = [], [], []
    for _, chunks in corpus.documents():
        for run in _runs(chosen, chunks):
            numbered, owners = _word_numbers(corpus, run, chunks, numbers)
            made = _hashes(numbered)
            found.append(made)
            firsts.append(owners[: len(made)])
            lasts.append(owners[min(SIZE, len(owners)) - 1 :] if len(owners) else owners)
    if not found:
        nowhere = np.empty(0, dtype=np.int64)
        return _Windows(np.empty(0, dtype=np.uint64), nowhere, nowhere)
    return _Windows(np.concatenate(found), np.concatenate(firsts), np.concatenate(lasts))


def _runs(chosen: NDArray[np.bool_], chunks: slice) -> Iterator[slice]:
    """Yield each run of chosen chunks within a document."""
    held = np.flatnonzero(np.diff(chosen[chunks].astype(np.int8), prepend=0, append=0))
    for start, stop in held.reshape(-1, 2):
        yield slice(chunks.start + int(start), chunks.start + int(stop))


def _word_numbers(
    corpus: Corpus, run: slice, document: slice, numbers: dict[str, int]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Number the words of a run of chunks, and the four words on either side of it.

    Returns the numbers and, for each, the position of the chunk that it stands in.
    """
    found: list[str] = []
    owners: list[int] = []

    def add(position: int, said: list[str]) -> None:
        found.extend(said)
        owners.extend([position] * len(said))

    if run.start > document.start:
        add(run.start - 1, words(corpus.texts[run.start - 1][-_AROUND:])[1 - SIZE :])
    for position in range(run.start, run.stop):
        add(position, _said(corpus, position, document))
    if run.stop < document.stop:
        heading = _heading(corpus, run.stop, document)
        add(run.stop, [*heading, *words(corpus.texts[run.stop][:_AROUND])][: SIZE - 1])
    numbered = [numbers.setdefault(word, len(numbers) + 1) for word in found]
    return np.array(numbered, dtype=np.uint64), np.array(owners, dtype=np.int64)


def _said(corpus: Corpus, position: int, document: slice) -> list[str]:
    return [*_heading(corpus, position, document), *words(corpus.texts[position])]


def _heading(corpus: Corpus, position: int, document: slice) -> list[str]:
    """Return the words of the heading that a chunk stands under, if its section begins there."""
    trail = corpus.headings[position]
    first = position == document.start
    return words(trail[-1]) if trail and (first or corpus.headings[position - 1] != trail) else []


def _hashes(numbered: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash each window of SIZE words; a shorter text is one window, padded with zeros."""
    if len(numbered) == 0:
        return np.empty(0, dtype=np.uint64)
    padded = np.pad(numbered, (0, max(0, SIZE - len(numbered))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, SIZE)
    mixed = windows * _MULTIPLIERS
    mixed ^= mixed >> np.uint64(29)
    made: NDArray[np.uint64] = (mixed * _MULTIPLIERS[::-1]).sum(axis=1, dtype=np.uint64)
    return made
