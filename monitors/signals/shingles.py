"""Unseen shingles: how much of what the corpus says now has never been said in the reference.

Formula: |S(current) - S(reference)| / |S(current)|, where S is the set of distinct runs of five
words over whole documents. Runs cross chunk borders, so chunking does not matter; words are
case-folded and free of markup, so reformatting does not matter; moved and copied text was seen.
Reference: A. Broder, "On the resemblance and containment of documents", 1997 (containment).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words

# Five words: long enough to be rare by chance, short enough to survive an edit next to them.
SIZE = 5
# Odd 64-bit constants spread word numbers over the hash space (Knuth's multiplicative hashing).
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
     0xA0761D6478BD642F],
    dtype=np.uint64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnseenShingles:
    """The share of unseen shingles, and each document's additive part of the unseen ones."""

    share: float
    unseen: int
    by_document: dict[str, int]


def measure(reference: Corpus, current: Corpus) -> UnseenShingles:
    """Compare two corpora; an empty current corpus has nothing unseen.

    >>> def corpus(text):
    ...     return Corpus(("a.md",), (text,), ((),), ("n",), ("d",))
    >>> old, new = corpus("one two three four five six"), corpus("One two three four five seven")
    >>> measure(old, new).share
    0.5
    """
    numbers: dict[str, int] = {}
    known, _ = _shingles(reference, numbers)
    present, owners = _shingles(current, numbers)
    distinct, first = np.unique(present, return_index=True)
    unseen = ~np.isin(distinct, known)
    uris = [uri for uri, _ in current.documents()]
    counts = np.bincount(owners[first[unseen]], minlength=len(uris))
    return UnseenShingles(
        share=float(unseen.mean()) if len(distinct) else 0.0,
        unseen=int(unseen.sum()),
        by_document={uri: int(count) for uri, count in zip(uris, counts, strict=True) if count},
    )


def _shingles(
    corpus: Corpus, numbers: dict[str, int]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return every shingle's hash and the position of its document, in reading order."""
    hashes, owners = [], []
    for position, (_, chunks) in enumerate(corpus.documents()):
        found = _hashes(_word_numbers(corpus, chunks, numbers))
        hashes.append(found)
        owners.append(np.full(len(found), position, dtype=np.int64))
    if not hashes:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    return np.concatenate(hashes), np.concatenate(owners)


def _word_numbers(corpus: Corpus, chunks: slice, numbers: dict[str, int]) -> NDArray[np.uint64]:
    """Number the words of one document; a heading is read once, where its section begins."""
    found: list[str] = []
    trail: tuple[str, ...] = ()
    for text, headings in zip(corpus.texts[chunks], corpus.headings[chunks], strict=True):
        if headings != trail and headings:
            found.extend(words(headings[-1]))
        trail = headings
        found.extend(words(text))
    return np.array([numbers.setdefault(word, len(numbers) + 1) for word in found], dtype=np.uint64)


def _hashes(numbered: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash each window of SIZE words; a shorter document is one window, padded with zeros."""
    if len(numbered) == 0:
        return np.empty(0, dtype=np.uint64)
    padded = np.pad(numbered, (0, max(0, SIZE - len(numbered))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, SIZE)
    mixed = windows * _MULTIPLIERS
    mixed ^= mixed >> np.uint64(29)
    hashes: NDArray[np.uint64] = (mixed * _MULTIPLIERS[::-1]).sum(axis=1, dtype=np.uint64)
    return hashes
