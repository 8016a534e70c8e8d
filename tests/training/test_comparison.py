"""Properties of the paired intervals, and one value worked out by hand."""

import numpy as np
import pytest

from tests.training.builders import scores
from training.comparison import compare_scores
from training.weighing import Interval, Scores

ZERO = Interval(0.0, 0.0, 0.0)


def drawn(seed: int, *, shift: float = 0.0, documents: int = 12, rows: int = 4) -> Scores:
    """Return scores whose rows share their document's luck."""
    rng = np.random.default_rng(seed)
    of_document = {f"{n}.md": 1 + 0.2 * rng.normal() for n in range(documents)}
    values = {
        uri: [abs(level + 0.02 * rng.normal()) * (1 + shift) for _ in range(rows)]
        for uri, level in of_document.items()
    }
    return scores(
        values, values, {uri: [min(1.0, v / 2) for v in vs] for uri, vs in values.items()}
    )


def test_identical_scores_change_nothing() -> None:
    same = drawn(1)

    seen = compare_scores(same, same, seed=1)

    assert seen.new_change == seen.old_change == seen.learning == seen.f1_change == ZERO


def test_fewer_bits_are_a_negative_change_and_more_f1_a_positive_one() -> None:
    champion = scores({"a": [1.0], "b": [2.0]}, {}, {"a": [0.2], "b": [0.4]})
    challenger = scores({"a": [0.9], "b": [1.8]}, {}, {"a": [0.5], "b": [0.7]})

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.new_change.mean == pytest.approx(-0.10)
    assert seen.f1_change.mean == pytest.approx(0.30)
    assert seen.new_change.high < 0 < seen.f1_change.low


def test_two_documents_by_hand() -> None:
    """With two documents each draw takes one: 1.0 to 0.9 is -10 %, 2.0 to 2.0 is 0 %."""
    champion = scores({"a": [1.0], "b": [2.0]})
    challenger = scores({"a": [0.9], "b": [2.0]})

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.new_change.mean == pytest.approx(-0.1 / 3)
    assert seen.new_change.low == pytest.approx(-0.1)
    assert seen.new_change.high == pytest.approx(0.0)


def test_four_documents_by_hand() -> None:
    """Each draw takes three of four; one of them changed by -20 %, taken k times in three.

    k is binomial(3, 1/4): three times in 1.6 % of the draws, twice or more in 15.6 %. So the
    2.5th percentile is k = 2, two thirds of -20 %. With four taken it would be -15 %.
    """
    champion = scores({"a": [1.0], "b": [1.0], "c": [1.0], "d": [1.0]})
    challenger = scores({"a": [0.8], "b": [1.0], "c": [1.0], "d": [1.0]})

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.new_change.mean == pytest.approx(-0.05)
    assert seen.new_change.low == pytest.approx(-0.2 * 2 / 3)
    assert seen.new_change.high == pytest.approx(0.0)


def test_learning_is_the_new_change_minus_the_old_one() -> None:
    champion = scores({"a": [1.0], "b": [1.0]}, {"a": [1.0], "b": [1.0]})
    challenger = scores({"a": [0.9], "b": [0.9]}, {"a": [0.97], "b": [0.97]})

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.learning.mean == pytest.approx(-0.07)
    assert (seen.learning.low, seen.learning.high) == pytest.approx((-0.07, -0.07))


def test_more_training_that_moves_new_and_old_text_alike_is_no_learning() -> None:
    champion, challenger = drawn(1), drawn(1, shift=-0.08)

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.new_change.high < -0.05
    assert seen.learning.low == pytest.approx(0.0, abs=1e-9)


def test_rows_of_one_document_are_not_independent() -> None:
    rng = np.random.default_rng(3)
    shifts = {f"{n}.md": 0.1 * rng.normal() for n in range(8)}
    together = {uri: [1 + shift] * 6 for uri, shift in shifts.items()}
    apart = {f"{uri}-{at}": [v] for uri, values in together.items() for at, v in enumerate(values)}
    ones = {uri: [1.0] * len(values) for uri, values in together.items()}
    ones_apart = {uri: [1.0] for uri in apart}

    clustered = compare_scores(scores(ones), scores(together), seed=1).new_change
    naive = compare_scores(scores(ones_apart), scores(apart), seed=1).new_change

    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_intervals_hold_their_level_on_equal_models() -> None:
    """Models that differ by noise only: about 5 % of the intervals may miss zero."""
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(1_000 + seed)
        shifts = {f"{n}.md": 0.02 * rng.normal() for n in range(10)}
        noisy = {uri: [1 + s + 0.005 * rng.normal() for _ in range(3)] for uri, s in shifts.items()}
        seen = compare_scores(scores({uri: [1.0] * 3 for uri in noisy}), scores(noisy), seed=seed)
        missed += not seen.new_change.low <= 0 <= seen.new_change.high

    # Percentile intervals from 10 documents miss about 8 %; 24 of 200 is three deviations above.
    assert missed <= 24


def test_the_seed_and_nothing_else_decides_the_draws() -> None:
    champion, challenger = drawn(1), drawn(2)

    once = compare_scores(champion, challenger, seed=1)

    assert compare_scores(champion, challenger, seed=1) == once
    assert compare_scores(champion, challenger, seed=2).new_change != once.new_change


def test_counts_and_means_are_those_of_the_rows() -> None:
    champion = scores({"a": [1.0, 2.0], "b": [3.0]}, {"c": [1.0]}, {"a": [0.5], "d": [0.1]})

    seen = compare_scores(champion, champion, seed=1)

    assert (seen.new_rows, seen.old_rows, seen.answer_rows, seen.documents) == (3, 1, 2, 4)
    assert seen.champion_new_bits == pytest.approx(2.0)
    assert seen.champion_f1 == pytest.approx(0.3)


def test_no_rows_at_all_are_zeros() -> None:
    seen = compare_scores(scores({}), scores({}), seed=1)

    assert seen.new_change == seen.f1_change == ZERO
    assert seen.documents == 0


def test_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows"):
        compare_scores(scores({"a": [1.0]}), scores({"b": [1.0]}), seed=1)
