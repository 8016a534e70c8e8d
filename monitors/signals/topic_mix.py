"""Topic mix: does the corpus speak of other things than it did, or of the same in other shares?

Formula: Jensen-Shannon divergence, in bits, 0..1, between the shares of chunks that fall to each
topic before and now. Topics are the clusters of the reference's vectors: `topics` centres by
spherical k-means from a seeded start. What did not change counts alike on both sides, so the sample
of it adds no difference; text that no centre is near to still falls to its nearest.
Reference: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Information
Theory 37, 1991; I. Dhillon, D. Modha, "Concept decompositions for large sparse text data", Machine
Learning 42, 2001 (spherical k-means).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus
from monitors.pair import Pair

TOPICS = 24
_CHUNKS_A_TOPIC = 5  # fewer make no cluster: a small corpus has fewer topics
_ROUNDS = 8
# Centres are found from so many chunks at most: their number, not the corpus, sets the cost.
_FITTED = 2_000

Floats = NDArray[np.float32]


def measure(pair: Pair, *, topics: int = TOPICS, seed: int = 0) -> float | None:
    """Return the divergence, None if there are no vectors or no reference to find topics in.

    >>> x, y = np.array([[1, 0]], "f4"), np.array([[0, 1]], "f4")
    >>> def corpus(vectors):
    ...     n = len(vectors)
    ...     return Corpus(("a",) * n, ("",) * n, ((),) * n, ("d",) * n, ("d",) * n, vectors)
    >>> none = frozenset[str]()
    >>> both = corpus(np.concatenate([x, y]))
    >>> measure(Pair({}, both, both, corpus(x[:0]), none, none, 2, 2, 1, 1), topics=2)
    0.0
    """
    corpora = [pair.reference, pair.current, pair.steady]
    if any(corpus.vectors is None for corpus in corpora):
        return None
    before, now, steady = (_vectors(corpus) for corpus in corpora)
    known = np.concatenate([before, steady]) if len(steady) else before
    if not len(known) or not len(now) + len(steady):
        return None
    count = min(topics, max(2, len(known) // _CHUNKS_A_TOPIC))
    centres = _centres(known, count, np.random.default_rng(seed))
    unread = max(0, pair.current_chunks - len(now))
    kept = unread * _shares(steady, centres)
    return _divergence(
        kept + len(before) * _shares(before, centres), kept + len(now) * _shares(now, centres)
    )


def _vectors(corpus: Corpus) -> Floats:
    return corpus.vectors if corpus.vectors is not None else np.empty((0, 0), np.float32)


def _centres(rows: Floats, topics: int, random: np.random.Generator) -> Floats:
    """Return `topics` unit vectors (topics, dimension); a cluster left empty keeps its centre."""
    if len(rows) > _FITTED:
        rows = rows[random.choice(len(rows), _FITTED, replace=False)]
    centres = rows[random.choice(len(rows), min(topics, len(rows)), replace=False)].copy()
    for _ in range(_ROUNDS):
        nearest = (rows @ centres.T).argmax(axis=1)
        for topic in range(len(centres)):
            total = rows[nearest == topic].sum(axis=0)
            length = np.linalg.norm(total)
            if length > 0:
                centres[topic] = total / length
    return centres


def _shares(rows: Floats, centres: Floats) -> NDArray[np.float64]:
    if not len(rows):
        return np.zeros(len(centres))
    return np.bincount((rows @ centres.T).argmax(axis=1), minlength=len(centres)) / len(rows)


def _divergence(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    p, q = before / before.sum(), now / now.sum()
    middle = (p + q) / 2

    def towards(side: NDArray[np.float64]) -> float:
        held = side > 0
        return float((side[held] * np.log2(side[held] / middle[held])).sum())

    return max(0.0, (towards(p) + towards(q)) / 2)
