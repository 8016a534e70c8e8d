"""From two rankings to one: cosine similarities and full-text scores. Pure."""

from collections.abc import Mapping, Sequence

SIMILARITY_WEIGHT = 0.1
"""The vectors' part in a fused score, from `benchmarks/search.py --recall`."""


def fuse(
    similarities: Mapping[str, float],
    scores: Mapping[str, float],
    *,
    similarity_weight: float = SIMILARITY_WEIGHT,
) -> dict[str, float]:
    """Return one score, 0..1, for every key of `similarities`; higher is closer.

    A convex combination of normalised scores (Bruch, Gai, Ingber: An Analysis of Fusion Functions
    for Hybrid Retrieval, 2023): similarities from their lowest to their highest, full-text scores
    from 0, which is what a chunk without a word of the question has, to their highest. Unlike
    ranks it keeps how much better the best one is.

    >>> fuse({"a": 0.9, "b": 0.5}, {"b": 8.0}, similarity_weight=0.25)
    {'a': 0.25, 'b': 0.75}
    """
    if not 0 <= similarity_weight <= 1:
        msg = f"similarity_weight is {similarity_weight}; it is a share, 0 to 1."
        raise ValueError(msg)
    lowest = min(similarities.values(), default=0.0)
    reach = max(similarities.values(), default=0.0) - lowest
    best = max(scores.values(), default=0.0)
    return {
        key: similarity_weight * _share(similarity - lowest, reach)
        + (1 - similarity_weight) * _share(scores.get(key, 0.0), best)
        for key, similarity in similarities.items()
    }


def by_score(scores: Mapping[str, float], tie_breakers: Mapping[str, str]) -> Sequence[str]:
    """Return the keys, best first; equal scores in the order of tie breaker and key.

    >>> by_score({"1": 0.5, "2": 0.5, "3": 0.9}, {"1": "b.md", "2": "a.md", "3": "c.md"})
    ['3', '2', '1']
    """
    return sorted(scores, key=lambda key: (-scores[key], tie_breakers[key], key))


def _share(part: float, whole: float) -> float:
    """Return part of whole; where all are equal, or there are none, nobody gets any."""
    return part / whole if whole > 0 else 0.0
