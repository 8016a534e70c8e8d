"""Paired changes of one measure with their intervals, bootstrapped by document. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from training.weighing import Change, Interval

# The outermost percentile that is ever asked for, of two documents, is about 1 in 10,000.
DRAWS = 10_000
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """One row's value under both models. Rows of one document are right or wrong together."""

    document: str
    champion: float
    challenger: float


# No uri holds a null, so these are documents of their own.
_GAINED, _LOST = Pair("\0gained", 0.0, 1.0), Pair("\0lost", 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Draws documents, not rows: an interval that takes rows for independent is too narrow.

    Each draw takes one document fewer than there are, which makes the variance unbiased for few
    documents (Rao and Wu 1988), and the percentiles are as far out as Student's t asks for
    (Hesterberg 2015, "expanded percentile").
    """

    seed: int
    confidence: float

    def relative(self, pairs: Sequence[Pair]) -> Change:
        """Return the change of a sum that is above zero, as a share of the champion's."""
        sums = _Sums(_documents(pairs), pairs)
        drawn = sums.relative(self._draws(sums.size))
        return _change(pairs, self._interval(sums.ratio, drawn, sums.size))

    def absolute(self, pairs: Sequence[Pair]) -> Change:
        """Return the change of a mean between 0 and 1.

        Two documents are added, one row that was gained and one that was lost, as Agresti and
        Min (2005) do for paired shares: where every row is equal, or all but one, the bare
        bootstrap would be certain of what it has hardly seen.
        """
        if not pairs:
            return Change()
        softened = [*pairs, _GAINED, _LOST]
        sums = _Sums(_documents(softened), softened)
        drawn = sums.absolute(self._draws(sums.size))
        return _change(pairs, self._interval(_difference(pairs), drawn))

    def gap_within(self, pairs: Sequence[Pair], others: Sequence[Pair]) -> Change:
        """Return the relative change of `pairs` minus that of `others` in the same documents.

        Only documents that have both count, each by its count of `pairs`.
        Documents differ in style, and any training moves some styles more than others: release
        notes gained 17 % from text of other releases alone. Within a document style cancels out.
        """
        homes = {pair.document for pair in pairs} & {pair.document for pair in others}
        if not homes:
            return Change()
        documents = sorted(homes)
        these = _Sums(documents, [pair for pair in pairs if pair.document in homes])
        those = _Sums(documents, [pair for pair in others if pair.document in homes])
        weights, draws = these.counts, self._draws(len(documents))
        gaps = (these.ratios - those.ratios) * weights
        drawn = draws @ gaps / (draws @ weights)
        interval = self._interval(float(gaps.sum() / weights.sum()), drawn, len(documents))
        return Change(0.0, 0.0, interval, these.rows + those.rows, len(documents))

    def absolute_gap(self, pairs: Sequence[Pair], others: Sequence[Pair]) -> Change:
        """Return the change in the mean of `pairs` minus that of `others`, both softened."""
        if not pairs or not others:
            return Change()
        softened = [*pairs, _GAINED, _LOST]
        also = [
            Pair(f"\0{pair.document}", pair.champion, pair.challenger) for pair in softened[-2:]
        ]
        documents = _documents([*softened, *others, *also])
        these, those = _Sums(documents, softened), _Sums(documents, [*others, *also])
        draws = self._draws(len(documents))
        drawn = these.absolute(draws) - those.absolute(draws)
        mean = _difference(pairs) - _difference(others)
        interval = self._interval(mean, drawn)
        count = len(_documents([*pairs, *others]))
        return Change(0.0, 0.0, interval, len(pairs) + len(others), count)

    def _draws(self, documents: int) -> _Floats:
        """Return how often each draw (row) takes each document (column)."""
        if not documents:
            return np.zeros((DRAWS, 0))
        even = np.full(documents, 1 / documents)
        random = np.random.default_rng(self.seed)
        return random.multinomial(max(1, documents - 1), even, size=DRAWS).astype(np.float64)

    def _interval(self, mean: float, drawn: _Floats, documents: int | None = None) -> Interval:
        """Return the mean with its outer percentiles, further out for few documents.

        None says that the draws are softened, which does as much. Zeros if no draw counts.
        """
        finite = drawn[np.isfinite(drawn)]
        if not len(finite):
            return Interval(0.0, 0.0, 0.0)
        outside = _outside(self.confidence, documents)
        low, high = np.quantile(finite, (outside, 1 - outside))
        return Interval(mean, min(mean, float(low)), max(mean, float(high)))


class _Sums:
    """Sums by document, both models': each array has one entry a document, in their order."""

    def __init__(self, documents: Sequence[str], pairs: Sequence[Pair]) -> None:
        position = {document: at for at, document in enumerate(documents)}
        where = [position[pair.document] for pair in pairs]
        self.size = len(documents)
        self.counts = self._summed(where, [1.0] * len(pairs))
        self.before = self._summed(where, [pair.champion for pair in pairs])
        self._after = self._summed(where, [pair.challenger for pair in pairs])

    def _summed(self, where: list[int], values: list[float]) -> _Floats:
        return np.bincount(where, weights=values, minlength=self.size).astype(np.float64)

    @property
    def rows(self) -> int:
        """Count of rows."""
        return int(self.counts.sum())

    @property
    def ratios(self) -> _Floats:
        """The relative change of each document."""
        return np.asarray(self._after / self.before - 1)

    @property
    def ratio(self) -> float:
        before = float(self.before.sum())
        return float(self._after.sum()) / before - 1 if before else 0.0

    # A draw without any row of these tells nothing about them: NaN, left out of the percentiles.
    def relative(self, draws: _Floats) -> _Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(draws @ self._after / (draws @ self.before) - 1)

    def absolute(self, draws: _Floats) -> _Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(draws @ (self._after - self.before) / (draws @ self.counts))


def _change(pairs: Sequence[Pair], interval: Interval) -> Change:
    if not pairs:
        return Change()
    champion = sum(pair.champion for pair in pairs) / len(pairs)
    challenger = sum(pair.challenger for pair in pairs) / len(pairs)
    return Change(champion, challenger, interval, len(pairs), len(_documents(pairs)))


def _difference(pairs: Sequence[Pair]) -> float:
    return sum(pair.challenger - pair.champion for pair in pairs) / len(pairs)


def _documents(pairs: Sequence[Pair]) -> list[str]:
    return sorted({pair.document for pair in pairs})


def _outside(confidence: float, documents: int | None) -> float:
    """Return the share of draws beyond either end: less than the normal's for few documents.

    >>> round(_outside(0.95, 1_000), 3), round(_outside(0.95, 10), 3)
    (0.025, 0.012)
    """
    if documents is None:
        return (1 - confidence) / 2
    normal = NormalDist()
    return normal.cdf(-_students(normal.inv_cdf(0.5 + confidence / 2), max(1, documents - 1)))


def _students(z: float, freedom: int) -> float:
    """Return about Student's t where the normal has z (Abramowitz and Stegun 26.7.5).

    >>> round(_students(1.959964, 9), 3), round(_students(1.959964, 3), 1)
    (2.262, 3.2)
    """
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
