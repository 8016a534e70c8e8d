"""A sketch of one version of a corpus: any two are compared in a millisecond, without their text.

Formula: all distinct runs of five words are hashed and those with the smallest hashes kept, so that
both sides keep the same ones; a share among the kept estimates the share among all. Chunk texts are
kept all, as eight bytes of their digest. Up to 32,768 runs nothing is left out and the share is
exact; beyond, at least 16,384 are kept of the larger side, and the standard error of a share p is
sqrt(p (1 - p) / kept): at most 0.4 points, 0.2 at p = 0.1. Where the reference is 2^k times as
large as the current side, as many fewer of the current side's can be used.
References: A. Broder, "On the resemblance and containment of documents", 1997; L. Irber et al.,
"Lightweight compositional analysis of metagenomes with FracMinHash", 2022.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus
from monitors.signals.shingles import hashes

# A quarter of a megabyte for each version, and sampling errors far below any level (see above).
KEPT = 32_768
_HASH_BITS = 64
# Finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the hash decides what is kept.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a version, a document say: its distinct shingles and texts, hashed, sorted."""

    shingles: NDArray[np.uint64]
    texts: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A version of a corpus. `halvings` says how often the range of kept hashes was halved.

    `shingles` and `texts` are distinct and sorted; `chunks` counts distinct texts.
    """

    shingles: NDArray[np.uint64]
    texts: NDArray[np.uint64]
    halvings: int

    @property
    def chunks(self) -> int:
        """How many distinct chunk texts the version has."""
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Shares:
    """How far one version is from another: what the signals of the same names measure, 0..1."""

    unseen_shingles: float
    changed_chunks: float
    removed_chunks: float


class Sketcher:
    """Makes pieces whose sketches can be compared; those of another sketcher cannot.

    It numbers the words that it meets, and knows nothing else of the texts.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def piece(self, corpus: Corpus) -> Piece:
        """Return what the sketch of a version that holds these documents, whole, is made of."""
        digests = [int(digest[:16], 16) for digest in corpus.normal_digests]
        return Piece(
            shingles=np.unique(_mixed(hashes(corpus, self._numbers))),
            texts=np.unique(np.array(digests, dtype=np.uint64)),
        )

    def pieces(self, corpus: Corpus) -> dict[str, Piece]:
        """Return the piece of each document, by uri."""
        return {
            uri: self.piece(corpus.take(range(chunks.start, chunks.stop)))
            for uri, chunks in corpus.documents()
        }


def sketch(pieces: Iterable[Piece]) -> Sketch:
    """Return the sketch of a version from its pieces; one without text is empty.

    >>> one = Piece(np.array([1, 2], np.uint64), np.array([7], np.uint64))
    >>> two = Piece(np.array([2, 3], np.uint64), np.array([7], np.uint64))
    >>> len(sketch([one, two]).shingles), sketch([one, two]).chunks
    (3, 1)
    """
    parts = list(pieces)
    shingles = _union([part.shingles for part in parts])
    halvings = 0
    while len(shingles) > KEPT:
        halvings += 1
        shingles = _kept(shingles, halvings)
    return Sketch(shingles, _union([part.texts for part in parts]), halvings)


def compare(reference: Sketch, current: Sketch) -> Shares:
    """Return the shares of what the current version has new, and of what it lost.

    An empty current version has nothing unseen; an empty reference has lost nothing.

    >>> one = sketch([Piece(np.array([1, 2], np.uint64), np.array([7, 8], np.uint64))])
    >>> two = sketch([Piece(np.array([2, 3], np.uint64), np.array([7], np.uint64))])
    >>> compare(one, two)
    Shares(unseen_shingles=0.5, changed_chunks=0.0, removed_chunks=0.5)
    """
    halvings = max(reference.halvings, current.halvings)
    known, present = (_kept(side.shingles, halvings) for side in (reference, current))
    return Shares(
        unseen_shingles=_missing(present, known),
        changed_chunks=_missing(current.texts, reference.texts),
        removed_chunks=_missing(reference.texts, current.texts),
    )


def _missing(items: NDArray[np.uint64], known: NDArray[np.uint64]) -> float:
    if len(items) == 0:
        return 0.0
    both = np.intersect1d(items, known, assume_unique=True)
    return 1 - len(both) / len(items)


def _kept(shingles: NDArray[np.uint64], halvings: int) -> NDArray[np.uint64]:
    """Return those under the limit, given that they are sorted."""
    if halvings == 0:
        return shingles
    limit = np.uint64(1 << (_HASH_BITS - halvings))
    return shingles[: np.searchsorted(shingles, limit)]


def _union(parts: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    if not parts:
        return np.empty(0, dtype=np.uint64)
    return np.unique(np.concatenate(parts))


def _mixed(hashed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (hashed ^ (hashed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))
