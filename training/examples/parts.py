"""A token budget spent on the parts of a training set by their shares. Pure: rows in, rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from training.examples.chunks import approximate_tokens
from training.records import Row

# What one document may take of each part: release notes are a third of some corpora.
MOST_OF_A_DOCUMENT = 0.2


class Part:
    """Candidates of one part, best first, of which as many are kept as its budget allows."""

    def __init__(self, rows: Iterable[Row], share: float, *, most_a_row: int) -> None:
        self.share = share
        self.kept: list[Row] = []
        self.exhausted = share <= 0
        self._candidates = iter(rows)
        self._most_a_row = most_a_row
        self._of_document: Counter[str] = Counter()

    @property
    def spent(self) -> int:
        """The tokens of the rows that were kept."""
        return self._of_document.total()

    def fill(self, budget: float) -> None:
        """Keep rows until their tokens fill the budget, no document more than its share of it."""
        while not self.exhausted and self.spent < budget:
            row = next(self._candidates, None)
            if row is None:
                self.exhausted = True
            elif self._of_document[row.uri] < MOST_OF_A_DOCUMENT * budget:
                self.kept.append(row)
                self._of_document[row.uri] += min(approximate_tokens(row), self._most_a_row)


def spend(parts: Sequence[Part], budget: float) -> None:
    """Fill every part by its share; what one cannot use goes to the others by theirs."""
    for _ in parts:
        open_ = [part for part in parts if not part.exhausted]
        left = budget - sum(part.spent for part in parts if part.exhausted)
        shares = sum(part.share for part in open_)
        for part in open_:
            part.fill(left * part.share / shares)
        if all(not part.exhausted for part in open_):
            return
