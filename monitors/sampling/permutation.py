"""Permutation tests that move whole clusters, documents or days, between two samples.

Chunks of one document are alike, so a test that permutes chunks takes every document for a drift.
Here the document (of incoming text) or the day (of questions asked) is what is exchangeable, every
one weighs the same, and only which of them count as current is permuted. The test is exact where
they are exchangeable, at any sizes; a level that must hold over many tests is in `schedule`.

References: A. Gretton et al., "A kernel two-sample test", JMLR 13, 2012 (the statistic);
A. M. Winkler et al., "Multi-level block permutation", NeuroImage 123, 2015 (whole blocks);
B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", 2010 (the added one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

# Bounds of the input: the cost of a test is the same at any size of a knowledge base.
REFERENCE_CLUSTERS = 300
CURRENT_CLUSTERS = 150
ROWS_OF_A_CLUSTER = 6

# Nothing moved nearly always, and so many permutations say so; only a p-value at or under the
# limit is worth the rest.
_FIRST = 199
_WORTH_THE_REST = 0.10
# Draws at once: 8 MB of random numbers at 450 clusters.
_BLOCK = 2_000
# The same clusters in another order differ in the last digits, and must count as equal.
_DIGITS = 10

Statistics = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Positions of the clusters that count as current (draws, current), ascending, in; the statistics
of each draw (draws, statistics) out, all of which grow with the difference."""


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """The outcome of one test. Without a p-value, `reason` says why: it is never "no drift"."""

    statistic: float | None
    p_value: float | None
    permutations: int
    reference_clusters: int
    current_clusters: int
    reason: str = ""


def clustered_mmd(
    reference: NDArray[np.float32],
    reference_clusters: NDArray[np.int64],
    current: NDArray[np.float32],
    current_clusters: NDArray[np.int64],
    *,
    permutations: int,
    level: float = 0.05,
    seed: int = 0,
) -> PermutationTest:
    """Test whether current rows (rows, dimension) mix the same subjects as reference rows do.

    Formula: |mean of the current clusters' mean vectors - mean of the reference's|², the squared
    maximum mean discrepancy with a linear kernel. On MiniLM vectors of documentation the Gaussian
    kernel found no more. At most REFERENCE_CLUSTERS and CURRENT_CLUSTERS clusters of at most
    ROWS_OF_A_CLUSTER rows are drawn with the seed.

    A mix moves without anything new: ten new pages about one known subject move it too.

    >>> rows, days = np.repeat(np.eye(2, dtype="f4"), 8, axis=0), np.arange(8)
    >>> clustered_mmd(rows[:8], days, rows[8:], days, permutations=999).p_value < 0.01
    True
    """
    means = [
        _means(*_bounded_rows(rows, clusters, most=most, seed=seed))
        for rows, clusters, most in (
            (reference, reference_clusters, REFERENCE_CLUSTERS),
            (current, current_clusters, CURRENT_CLUSTERS),
        )
    ]
    pooled = np.concatenate(means)
    return permutation_test(
        mean_discrepancy(pooled @ pooled.T),
        np.arange(len(means[0]), len(pooled)),
        clusters=len(pooled),
        permutations=permutations,
        level=level,
        seed=seed,
    )


def permutation_test(
    statistics: Statistics,
    current: NDArray[np.intp],
    *,
    clusters: int,
    permutations: int,
    level: float = 0.05,
    seed: int = 0,
) -> PermutationTest:
    """Test whether the clusters at `current`, of all `clusters`, differ from the others.

    p = (1 + draws at least as extreme) / (1 + draws). Several statistics are one test: a draw is
    as extreme as its smallest p-value among them, which holds the level exactly (Westfall and
    Young, "Resampling-based multiple testing", 1993). The first 199 draws decide alone where
    their p-value is over 0.10, which keeps the level: a p-value at or under u needs the first one
    at or under u where u is over 0.10, and the last one elsewhere.

    There is no p-value where the clusters have too few arrangements to reach the level. Raises
    ValueError where the permutations are too few to reach it.

    >>> largest = lambda drawn: drawn.max(axis=1, keepdims=True).astype(float)
    >>> permutation_test(largest, np.array([99]), clusters=100, permutations=999).p_value < 0.03
    True
    """
    if (1 + permutations) * level < 1:
        msg = (
            f"{permutations} permutations cannot reach the level {level!r}: "
            f"at least {_needed(level)} are needed."
        )
        raise ValueError(msg)
    sizes = clusters - len(current), len(current)
    reason = too_few(*sizes, level=level)
    if reason:
        return PermutationTest(None, None, 0, *sizes, reason)
    generator = np.random.default_rng(seed)
    drawn, p_value = statistics(np.sort(current)[None]), 1.0
    for count in sorted({min(_FIRST, permutations), permutations}):
        more = _draws(statistics, clusters, len(current), count + 1 - len(drawn), generator)
        drawn = np.concatenate([drawn, more])
        p_value = _p_value(drawn)
        if p_value > _WORTH_THE_REST:
            break
    return PermutationTest(float(drawn[0, 0]), p_value, len(drawn) - 1, *sizes)


def mean_discrepancy(kernel: NDArray[np.float32]) -> Statistics:
    """Return the squared mean discrepancy of each draw, from the kernel of all pairs of clusters.

    Formula: aKa/m² - 2·aK(1-a)/mn + (1-a)K(1-a)/n², where a marks the m current clusters of m + n.
    """
    kernel = kernel.astype(np.float64)
    row_sums, total = kernel.sum(axis=1), kernel.sum()

    def statistics(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        current = drawn.shape[1]
        reference = len(kernel) - current
        marks = np.zeros((len(drawn), len(kernel)))
        np.put_along_axis(marks, drawn, 1.0, axis=1)
        within = np.einsum("ij,ij->i", marks @ kernel, marks)
        outgoing = row_sums[drawn].sum(axis=1)
        between = (outgoing - within) / (current * reference)
        others = (total - 2 * outgoing + within) / reference**2
        discrepancy: NDArray[np.float64] = within / current**2 - 2 * between + others
        return discrepancy[:, None]

    return statistics


def bounded(
    clusters: NDArray[np.int64], *, most: int, rows: int = ROWS_OF_A_CLUSTER, seed: int = 0
) -> NDArray[np.intp]:
    """Return ascending positions of at most `most` whole clusters' rows, `rows` of each at most.

    >>> bounded(np.array([7, 7, 7, 8]), most=2, rows=1).shape
    (2,)
    """
    generator = np.random.default_rng(seed)
    names, numbers = np.unique(clusters, return_inverse=True)
    kept = generator.permutation(len(names)) < most
    shuffled = np.lexsort((generator.random(len(clusters)), numbers))
    starts = np.searchsorted(numbers[shuffled], np.arange(len(names)))
    place = np.arange(len(clusters)) - starts[numbers[shuffled]]
    chosen = shuffled[(place < rows) & kept[numbers[shuffled]]]
    return np.sort(chosen)


def _bounded_rows(
    rows: NDArray[np.float32], clusters: NDArray[np.int64], *, most: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    chosen = bounded(clusters, most=most, seed=seed)
    return rows[chosen], clusters[chosen]


def _means(rows: NDArray[np.float32], clusters: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean vector (clusters, dimension) of each cluster's rows."""
    names, numbers = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]), dtype=np.float32)
    np.add.at(sums, numbers, rows)
    sizes = np.bincount(numbers).astype(np.float32)
    return sums / sizes[:, None]


def _draws(
    statistics: Statistics, clusters: int, current: int, count: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the statistics of so many random choices of the current clusters."""
    found = []
    for start in range(0, count, _BLOCK):
        keys = generator.random((min(_BLOCK, count - start), clusters))
        found.append(statistics(np.sort(np.argpartition(keys, current)[:, :current], axis=1)))
    return np.concatenate(found)


def _p_value(drawn: NDArray[np.float64]) -> float:
    """Return the p-value of the first draw among all of them; it counts itself."""
    columns = np.round(drawn, _DIGITS).T
    smaller = np.array([np.searchsorted(np.sort(column), column) for column in columns])
    largest = smaller.max(axis=0)
    return float((largest >= largest[0]).mean())


def too_few(reference: int, current: int, *, level: float) -> str:
    """Say why no arrangement of the clusters can reach the level; "" if one can."""
    if current <= 0 or reference <= 0:
        return f"not enough data: {max(0, reference)} in the reference, {current} are new"
    # Of two halves each other's exchange has the same discrepancy, so that counts twice.
    smallest = (2 if current == reference else 1) / comb(reference + current, current)
    if smallest <= level:
        return ""
    return (
        f"not enough data: {current} new against {reference} in the reference reach p = "
        f"{smallest:.2g} at best, and {level:.2g} is asked for"
    )


def _needed(level: float) -> int:
    return int(np.ceil(1 / level)) - 1
