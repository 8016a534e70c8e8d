"""Semantic novelty: how many chunks say something that nothing in the reference comes near to.

Formula: share of distinct current texts whose best cosine to any reference chunk is below `cut`.
Texts that the reference holds word for word have cosine 1 and are not multiplied; of the others
at most `sample` are, drawn with a fixed seed, each against the *full* reference: a nearest
neighbour in a sampled reference is biased by its size, a sampled current corpus is not.
Reference: nearest-neighbour novelty detection, e.g. Pimentel et al., "A review of novelty
detection", Signal Processing 99, 2014, section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitors.pair import Nearest, Pair

# Stable from 50 chunks on (share of far chunks within 0.02); four times that for good measure.
SAMPLE = 200
# Belongs to all-MiniLM-L6-v2: unrelated edits stay above, new subjects fall below.
CUT = 0.90
_ROWS = 4_096


def measure(pair: Pair, *, cut: float = CUT, sample: int = SAMPLE, seed: int = 0) -> float | None:
    """Return the share of novel texts, None if a side has no vectors.

    >>> from monitors.corpus import Corpus
    >>> far, none = np.array([[0.0, 1.0]], "f4"), Corpus((), (), (), (), ())
    >>> new = Corpus(("a.md",), ("",), ((),), ("new",), ("d",), far)
    >>> known = nearest_to(np.array([[1.0, 0.0]], "f4"))
    >>> old, now = frozenset({"old"}), frozenset({"new", "old"})
    >>> measure(Pair({}, none, new, none, old, now, 1, 2, 1, 2, nearest=known))
    0.5
    """
    if pair.nearest is None or not pair.current_digests:
        return None
    if not pair.fresh:
        return 0.0
    if pair.current.vectors is None:
        return None
    drawn = np.array(pair.fresh)
    if len(drawn) > sample:
        drawn = np.random.default_rng(seed).choice(drawn, size=sample, replace=False)
    novel = pair.nearest(pair.current.vectors[drawn]) < cut
    return float(novel.mean()) * len(pair.fresh) / len(pair.current_digests)


def nearest_to(reference: NDArray[np.float32]) -> Nearest:
    """Return what finds the best cosine to a matrix (rows, dimension) of unit vectors.

    -1 where the matrix is empty.
    """

    def nearest(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        best = np.full(len(rows), -1.0, dtype=np.float32)
        for start in range(0, len(reference), _ROWS):
            block = rows @ reference[start : start + _ROWS].T
            np.maximum(best, block.max(axis=1), out=best)
        return best

    return nearest
