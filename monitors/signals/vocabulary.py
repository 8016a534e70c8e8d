"""Vocabulary: does the corpus use words that the reference does not have, or others more often?

Formula: out of vocabulary = share of the words that are read now which stand nowhere in the
reference; divergence = Jensen-Shannon divergence, in bits, 0..1, between the frequencies of words
before and now. Text that both sides hold is read once; of what did not change a sample is, and
weighs as much as all of it, so a word that only the rest of it has counts as new.
Reference: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Information
Theory 37, 1991. The measurements behind it stand in docs/drift.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words
from monitors.pair import Pair

# Chunks that did not change, in documents that did.
_SAMPLED = 1_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The share of words that are new, and how far their frequencies have moved, both 0..1."""

    unknown: float
    divergence: float


def measure(pair: Pair) -> Vocabulary:
    """Compare the words of two sides; zeros where one side has none.

    >>> def corpus(*texts):
    ...     n = len(texts)
    ...     return Corpus(("a.md",) * n, texts, ((),) * n, texts, ("d",) * n)
    >>> old, new, none = corpus("one two"), corpus("one six"), corpus()
    >>> sides = frozenset(old.texts), frozenset(new.texts)
    >>> measure(Pair({}, old, new, none, *sides, 1, 1, 1, 1))
    Vocabulary(unknown=0.5, divergence=0.5)
    """
    fresh = _counted(pair.current, pair.fresh)
    gone = _counted(pair.reference, pair.gone)
    lacking = set(pair.gone)
    kept = [at for at in range(len(pair.reference)) if at not in lacking]
    both = _counted(pair.reference, read := kept[:: max(1, len(kept) // _SAMPLED)])
    steady = _counted(pair.steady, range(len(pair.steady)))
    unread = max(0, pair.current_chunks - len(pair.current))
    weight = unread / len(pair.steady) if len(pair.steady) else 0.0
    numbers = {word: at for at, word in enumerate({**fresh, **gone, **both, **steady})}
    shared = len(kept) / max(1, len(read)) * _vector(both, numbers)
    shared += weight * _vector(steady, numbers)
    before, now = shared + _vector(gone, numbers), shared + _vector(fresh, numbers)
    if not before.sum() or not now.sum():
        return Vocabulary(0.0, 0.0)
    unknown = float(now[before == 0].sum() / now.sum())
    return Vocabulary(unknown, _divergence(before / before.sum(), now / now.sum()))


def _counted(corpus: Corpus, positions: Iterable[int]) -> Counter[str]:
    return Counter(words(" ".join(corpus.texts[at] for at in positions)))


def _vector(counts: Counter[str], numbers: dict[str, int]) -> NDArray[np.float64]:
    vector = np.zeros(len(numbers))
    vector[[numbers[word] for word in counts]] = list(counts.values())
    return vector


def _divergence(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    middle = (before + now) / 2
    return (_relative(before, middle) + _relative(now, middle)) / 2


def _relative(shares: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    """Return the Kullback-Leibler divergence in bits; shares of zero add nothing."""
    held = shares > 0
    return float((shares[held] * np.log2(shares[held] / middle[held])).sum())
