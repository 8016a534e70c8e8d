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

from monitors.corpus import Corpus

# Stable from 50 chunks on; 400 bound the cost at any corpus size.
SAMPLE = 400
# Belongs to all-MiniLM-L6-v2: unrelated edits stay above, new subjects fall below.
CUT = 0.90
_ROWS = 4_096


def measure(
    reference: Corpus, current: Corpus, *, cut: float = CUT, sample: int = SAMPLE, seed: int = 0
) -> float | None:
    """Return the share of novel texts, None if either side has no vectors.

    >>> def corpus(digest, *vector):
    ...     return Corpus(("a.md",), ("",), ((),), (digest,), ("d",), np.array([vector], "f4"))
    >>> measure(corpus("old", 1, 0), corpus("new", 0, 1))
    1.0
    >>> measure(corpus("old", 1, 0), corpus("new", 1, 0))
    0.0
    """
    if reference.vectors is None or current.vectors is None:
        return None
    known = set(reference.normal_digests)
    first = {digest: row for row, digest in reversed(list(enumerate(current.normal_digests)))}
    fresh = sorted(row for digest, row in first.items() if digest not in known)
    if not fresh:
        return 0.0
    drawn = np.array(fresh)
    if len(fresh) > sample:
        drawn = np.random.default_rng(seed).choice(drawn, size=sample, replace=False)
    novel = nearest(reference.vectors, current.vectors[drawn]) < cut
    return float(novel.mean()) * len(fresh) / len(first)


def nearest(reference: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's best cosine (rows,) to the reference; -1 where the reference is empty."""
    best = np.full(len(rows), -1.0, dtype=np.float32)
    for start in range(0, len(reference), _ROWS):
        block = rows @ reference[start : start + _ROWS].T
        np.maximum(best, block.max(axis=1), out=best)
    return best
