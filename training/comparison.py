"""Champion and challenger on the same rows, with paired intervals by document. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.weighing import Evaluation, Interval, RowScore, Scores

DRAWS = 2_000
_Floats = NDArray[np.float64]


def compare_scores(champion: Scores, challenger: Scores, *, seed: int) -> Evaluation:
    """Return both models' means and the changes with their 95 % intervals.

    Documents are drawn, not rows: rows of one document are right or wrong together, and an
    interval that takes them for independent is too narrow. Each of the 2,000 draws takes one
    document fewer than there are, which makes the variance unbiased for few documents (Rao and
    Wu 1988). Raises ValueError if the two were not weighed on the same rows in the same order.
    """
    uris = _documents(champion, challenger)
    draws = _draws(len(uris), seed)
    new = _Pair(uris, champion.new, challenger.new, draws)
    old = _Pair(uris, champion.old, challenger.old, draws)
    answers = _Pair(uris, _f1(champion.answers), _f1(challenger.answers), draws)
    return Evaluation(
        champion_new_bits=new.champion,
        challenger_new_bits=new.challenger,
        champion_old_bits=old.champion,
        challenger_old_bits=old.challenger,
        champion_f1=answers.champion,
        challenger_f1=answers.challenger,
        new_change=_interval(new.ratio, new.drawn_ratios),
        old_change=_interval(old.ratio, old.drawn_ratios),
        learning=_interval(new.ratio - old.ratio, new.drawn_ratios - old.drawn_ratios),
        f1_change=_interval(answers.difference, answers.drawn_differences),
        new_rows=len(champion.new),
        old_rows=len(champion.old),
        answer_rows=len(champion.answers),
        documents=len(uris),
        seconds=champion.seconds + challenger.seconds,
    )


def _draws(documents: int, seed: int) -> _Floats:
    """Return how often each draw (row) takes each document (column)."""
    if not documents:
        return np.zeros((DRAWS, 0))
    even = np.full(documents, 1 / documents)
    draws = np.random.default_rng(seed).multinomial(max(1, documents - 1), even, size=DRAWS)
    return draws.astype(np.float64)


class _Pair:
    """One group of rows under both models: means, and means over each draw of documents."""

    def __init__(
        self,
        uris: Sequence[str],
        champion: Sequence[RowScore],
        challenger: Sequence[RowScore],
        draws: _Floats,
    ) -> None:
        counts, before = _sums(uris, champion)
        _, after = _sums(uris, challenger)
        rows = counts.sum()
        self.champion = float(before.sum() / rows) if rows else 0.0
        self.challenger = float(after.sum() / rows) if rows else 0.0
        self.difference = self.challenger - self.champion
        self.ratio = self.difference / self.champion if self.champion else 0.0
        # A draw without any row of this group tells nothing about it: NaN, left out below.
        with np.errstate(divide="ignore", invalid="ignore"):
            self.drawn_ratios = draws @ after / (draws @ before) - 1
            self.drawn_differences = draws @ (after - before) / (draws @ counts)


def _sums(uris: Sequence[str], rows: Sequence[RowScore]) -> tuple[_Floats, _Floats]:
    """Return each document's count of rows and the sum of their bits."""
    position = {uri: i for i, uri in enumerate(uris)}
    where = [position[row.uri] for row in rows]
    counts = np.bincount(where, minlength=len(uris))
    sums = np.bincount(where, weights=[row.bits for row in rows], minlength=len(uris))
    return counts.astype(np.float64), sums.astype(np.float64)


def _f1(rows: Sequence[RowScore]) -> list[RowScore]:
    """Return the rows with their F1 in the place of bits."""
    return [RowScore(row.uri, row.chunk, row.f1 or 0.0) for row in rows]


def _interval(mean: float, drawn: _Floats) -> Interval:
    """Return the mean with the 2.5th and 97.5th percentile of the draws; zeros if none counts."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return Interval(0.0, 0.0, 0.0)
    low, high = np.quantile(finite, (0.025, 0.975))
    return Interval(mean, float(low), float(high))


def _documents(champion: Scores, challenger: Scores) -> list[str]:
    """Return the documents behind the rows, sorted, or refuse rows that are not paired."""
    before = [*champion.new, *champion.old, *champion.answers]
    after = [*challenger.new, *challenger.old, *challenger.answers]
    if [(row.uri, row.chunk) for row in before] != [(row.uri, row.chunk) for row in after]:
        msg = "Champion and challenger were not weighed on the same rows in the same order."
        raise ValueError(msg)
    return sorted({row.uri for row in before})
