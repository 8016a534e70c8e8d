"""From what is known of each candidate to one order: cosines, full-text scores, near words. Pure.

A sum of evidence: what a full-text score is, the logarithm of how much likelier a chunk answers,
is what the other two parts are brought to. No part is divided by its own best, so a question of
common words leaves the decision to the vectors, one with rare words to the words (linear
interpolation with raw scores: Wang, Zhuang, Zuccon: BERT-based Dense Retrievers Require
Interpolation with BM25, 2021; for what normalising does: Bruch, Gai, Ingber: An Analysis of
Fusion Functions for Hybrid Retrieval, 2023). The numbers were chosen on Django's documentation
alone; `benchmarks/search.py` asks other documentation.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from math import log

import numpy as np

SIMILARITY_WEIGHT = 4.0
"""What one standard deviation of the candidates' cosines counts: embedders differ in scale."""

CLOSENESS_WEIGHT = 2.0
WINDOW = 25
"""Words that count as near each other, about a sentence; 15 to 40 do as well."""

UNLISTED_SHARE = 0.7
"""Of the lowest listed score, for a candidate that full text did not list because it was full."""

_Place = tuple[int, str]


def fuse(
    similarities: Sequence[float],
    scores: Sequence[float | None],
    closenesses: Sequence[float],
    *,
    all_listed: bool,
) -> list[float]:
    """Return one score for each candidate; higher is closer.

    A score is None for what full text did not list: that has no word of the question if
    `all_listed`, else it merely has a lower score than the lowest one listed.

    >>> fuse([0.75, 0.25], [None, 8.0], [0.0, 1.0], all_listed=True)
    [4.0, 6.0]
    """
    cosines = np.asarray(similarities, np.float64)
    spread = cosines.std() if len(cosines) else 0.0
    known = [score for score in scores if score is not None]
    unlisted = 0.0 if all_listed else UNLISTED_SHARE * min(known, default=0.0)
    by_words = [unlisted if score is None else score for score in scores]
    fused = np.asarray(by_words) + CLOSENESS_WEIGHT * np.asarray(closenesses)
    if spread > _EQUAL:
        fused += SIMILARITY_WEIGHT * (cosines - cosines.mean()) / spread
    return [float(score) for score in fused]


def closeness(question: str, texts: Sequence[str]) -> list[float]:
    """Return for each text how much of the question stands near together in it, 0 or more.

    The sum of the weights of the question's words, as they were written, in the best 25 words of
    a text. A word weighs more the fewer of these texts have it (Robertson, Sparck Jones:
    Relevance Weighting of Search Terms, 1976). For why nearness tells: Tao, Zhai: An Exploration
    of Proximity Measures in Information Retrieval, 2007.

    >>> texts = ["Flush the cache.", "Flush" + " it" * 30 + " cache", "", ""]
    >>> near, apart, *_ = closeness("flush cache", texts)
    >>> near > apart > 0
    True
    """
    asked = frozenset(_words(question))
    found = [
        [(place, word) for place, word in enumerate(_words(text)) if word in asked]
        for text in texts
    ]
    holders = Counter(word for places in found for word in {word for _, word in places})
    weights = {
        word: log(1 + (len(texts) - count + 0.5) / (count + 0.5)) for word, count in holders.items()
    }
    return [_densest(places, weights) for places in found]


_EQUAL = 1e-6  # cosines in float32 that differ by less are the same
_WORD = re.compile(r"[^\W_]+")
_ASCII_GAPS = {code: " " for code in range(128) if not chr(code).isalnum()}


def _words(text: str) -> list[str]:
    lowered = text.lower()
    if lowered.isascii():  # the same words in half the time
        return lowered.translate(_ASCII_GAPS).split()
    return _WORD.findall(lowered)


def _densest(places: Sequence[_Place], weights: dict[str, float]) -> float:
    """Return the most weight that any window holds, each word counted once."""
    window: deque[_Place] = deque()
    held: Counter[str] = Counter()
    best = weight = 0.0
    for place, word in places:
        window.append((place, word))
        held[word] += 1
        weight += weights[word] if held[word] == 1 else 0.0
        while window[0][0] <= place - WINDOW:
            _, left = window.popleft()
            held[left] -= 1
            weight -= weights[left] if held[left] == 0 else 0.0
        best = max(best, weight)
    return best
