"""Properties of the paired intervals, values worked out by hand, and how often they miss."""

import numpy as np
import pytest

from training.judging.bootstrap import Bootstrap, Pair
from training.weighing import Change, Interval

DRAW = Bootstrap(seed=1, confidence=0.95)


def pairs(*changes: float, before: float = 1.0) -> list[Pair]:
    """Return one row a document, changed from `before` by so much."""
    return [Pair(f"{n}", before, before + change) for n, change in enumerate(changes)]


def flips(*, gained: int = 0, lost: int = 0, same: int = 0) -> list[Pair]:
    values = [(0.0, 1.0)] * gained + [(1.0, 0.0)] * lost + [(1.0, 1.0)] * same
    return [Pair(f"{n}", *value) for n, value in enumerate(values)]


def test_two_documents_by_hand() -> None:
    """With two documents each draw takes one: 1.0 to 0.9 is -10 %, 2.0 to 2.0 is 0 %."""
    seen = DRAW.relative([Pair("a", 1.0, 0.9), Pair("b", 2.0, 2.0)]).change

    assert seen.mean == pytest.approx(-0.1 / 3)
    assert (seen.low, seen.high) == pytest.approx((-0.1, 0.0))


def test_four_documents_by_hand() -> None:
    """Each draw takes three of four; one of them changed by -20 %, taken k times in three.

    k is binomial(3, 1/4): three times in 1.6 % of the draws. Student's t of three degrees of
    freedom is 3.2, which the normal exceeds in 0.07 %: so the low end is k = 3, all of -20 %.
    With the bare 2.5 % it would be k = 2, two thirds of it.
    """
    seen = DRAW.relative(pairs(-0.2, 0.0, 0.0, 0.0)).change

    assert seen.mean == pytest.approx(-0.05)
    assert (seen.low, seen.high) == pytest.approx((-0.2, 0.0))


def test_one_lost_row_in_ten_by_hand() -> None:
    """Each draw takes 11 of 12 documents, 2 of them lost a row (one is added) and 1 gained one.

    Net losses of 4 or more of 11 have a chance of 5.6 %, of 5 or more of 1.5 %: the low end
    is 4 of 11.
    """
    seen = DRAW.absolute(flips(lost=1, same=9)).change

    assert seen.mean == pytest.approx(-0.1)
    assert seen.low == pytest.approx(-4 / 11)


def test_bits_that_stay_as_they_were_have_no_interval() -> None:
    assert DRAW.relative(pairs(0.0, 0.0, 0.0)).change == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("rows", "least"), [(10, 0.2), (24, 0.08), (48, 0.04)])
def test_shares_that_stay_as_they_were_are_not_certain(rows: int, least: float) -> None:
    """Nothing seen in n rows leaves up to 3 / n open (Hanley and Lippman-Hand 1983)."""
    seen = DRAW.absolute(flips(same=rows)).change

    assert least < seen.high < 3.5 / rows
    assert -3.5 / rows < seen.low < -least


def test_a_gap_is_the_change_of_these_minus_that_of_the_others() -> None:
    seen = DRAW.gap_within(pairs(-0.1, -0.1, -0.1), pairs(-0.03, -0.03, -0.03)).change

    assert (seen.mean, seen.low, seen.high) == pytest.approx((-0.07, -0.07, -0.07))


def test_a_gap_is_taken_within_documents_so_that_style_is_no_learning() -> None:
    """Release notes that gain 17 % from any training have no old text to hold them against."""
    new = [*pairs(-0.02, -0.02), Pair("notes", 1.0, 0.83)]
    old = [*pairs(-0.02, -0.02), Pair("elsewhere", 1.0, 1.0)]

    seen = DRAW.gap_within(new, old)

    assert seen.change.mean == pytest.approx(0.0)
    assert (seen.rows, seen.documents) == (4, 2)


def test_in_a_gap_a_document_counts_as_much_as_its_own_rows_do() -> None:
    """By hand: (3 x -0.1 + 1 x 0.1) / 4, the old rows unchanged however many they are."""
    new = [*[Pair("a", 1.0, 0.9)] * 3, Pair("b", 5.0, 5.5)]
    old = [Pair("a", 1.0, 1.0), *[Pair("b", 1.0, 1.0)] * 9]

    assert DRAW.gap_within(new, old).change.mean == pytest.approx(-0.05)


def test_without_rows_there_is_no_change() -> None:
    some = pairs(0.1)

    assert DRAW.relative([]) == DRAW.absolute([]) == Change()
    assert DRAW.gap_within(some, []) == DRAW.gap_within([], some) == Change()
    assert DRAW.absolute_gap(some, []) == DRAW.absolute_gap([], some) == Change()


def test_rows_of_one_document_are_not_independent() -> None:
    random = np.random.default_rng(3)
    shifts = [0.1 * random.normal() for _ in range(8)]
    together = [Pair(f"{n}", 1.0, 1 + shift) for n, shift in enumerate(shifts) for _ in range(6)]
    apart = [Pair(f"{at}", p.champion, p.challenger) for at, p in enumerate(together)]

    clustered, naive = DRAW.relative(together).change, DRAW.relative(apart).change

    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_the_order_of_the_rows_does_not_count() -> None:
    rows = pairs(0.25, -0.5, 0.125, 0.0)  # powers of two: sums in any order are equal

    assert DRAW.relative(rows[::-1]) == DRAW.relative(rows)


def test_the_seed_and_nothing_else_decides_the_draws() -> None:
    rows = pairs(*np.linspace(-0.1, 0.2, 12))

    assert DRAW.relative(rows) == Bootstrap(1, 0.95).relative(rows)
    assert DRAW.relative(rows) != Bootstrap(2, 0.95).relative(rows)


def missed(low: float, high: float, truth: float = 0.0) -> bool:
    return not low <= truth <= high


@pytest.mark.parametrize("documents", [6, 12])
def test_intervals_of_bits_hold_their_level(documents: int) -> None:
    """Models that differ by noise only: 5 % of the intervals may miss zero."""
    random, misses = np.random.default_rng(documents), 0
    for seed in range(200):
        luck = 0.02 * random.normal(size=documents)
        rows = [
            Pair(f"{n}", 1.0, 1 + shift + 0.005 * random.normal())
            for n, shift in enumerate(luck)
            for _ in range(3)
        ]
        seen = Bootstrap(seed, 0.95).relative(rows).change
        misses += missed(seen.low, seen.high)

    assert misses <= 20  # 10 expected, three deviations of 3.1 above


@pytest.mark.parametrize(
    ("rows", "gain", "loss"),
    [(10, 0.05, 0.05), (12, 0.3, 0.0), (24, 0.15, 0.15)],
    ids=["ten-rows", "one-way", "as-two-seeds"],
)
def test_intervals_of_shares_hold_their_level(rows: int, gain: float, loss: float) -> None:
    random, misses = np.random.default_rng(rows), 0
    for seed in range(200):
        kinds = random.choice(3, p=(gain, loss, 1 - gain - loss), size=rows)
        gained, lost, same = (int((kinds == kind).sum()) for kind in range(3))
        seen = Bootstrap(seed, 0.95).absolute(flips(gained=gained, lost=lost, same=same)).change
        misses += missed(seen.low, seen.high, gain - loss)

    assert misses <= 20
