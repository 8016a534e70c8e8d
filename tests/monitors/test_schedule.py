"""A stated level holds over a whole schedule, and each look says what it needs."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from monitors.sampling import schedule
from monitors.sampling.permutation import mean_discrepancy, permutation_test
from monitors.sampling.schedule import (
    MOST_PERMUTATIONS,
    Look,
    Spent,
    after,
    alarms,
    content_of,
    next_look,
    own_null,
    permutations_for,
)

SCHEDULES, LOOKS, REFERENCE, BATCH = 500, 8, 24, 5


def taken(looks: int) -> Spent:
    spent = Spent()
    for number in range(looks):
        spent = after(spent, next_look(spent, str(number)), str(number))
    return spent


def alarmed(seed: int, *, corrected: bool) -> bool:
    """Say whether any look of one schedule alarms; every batch is drawn like the reference."""
    generator = np.random.default_rng(seed)
    reference = generator.standard_normal((REFERENCE, 8))
    spent = Spent()
    for number in range(LOOKS):
        look = next_look(spent, str(number))
        pooled = np.concatenate([reference, generator.standard_normal((BATCH, 8))])
        found = permutation_test(
            mean_discrepancy(pooled @ pooled.T),
            np.arange(REFERENCE, REFERENCE + BATCH),
            clusters=len(pooled),
            permutations=look.permutations if corrected else 199,
            level=look.level if corrected else 0.05,
            seed=seed * LOOKS + number,
        )
        p_value = found.p_value or 0.0
        if alarms(look, p_value) if corrected else p_value <= 0.05:
            return True
        spent = after(spent, look, str(number))
    return False


def test_the_share_of_schedules_with_any_false_alarm_stays_at_the_stated_level():
    found = sum(alarmed(seed, corrected=True) for seed in range(SCHEDULES))

    assert found / SCHEDULES <= schedule.LEVEL
    assert found >= 4  # one in a thousand at 3 %: the level is used, not hoarded


def test_without_the_schedule_a_third_of_the_schedules_alarm():
    found = sum(alarmed(seed, corrected=False) for seed in range(50))

    assert found >= 7  # at 1 - 0.95⁸ = 34 %, fewer happen once in a thousand times


def test_all_levels_together_are_the_stated_level():
    spent, looks = Spent(), 0
    while not (look := next_look(spent, str(looks))).held_back and looks < 2_000:
        spent, looks = after(spent, look, str(looks)), looks + 1

    assert spent.spent <= spent.level
    assert spent.level - spent.spent < 1 / (1 + MOST_PERMUTATIONS)
    assert "is spent" in look.held_back
    assert looks > 800


def test_the_first_looks_spend_what_the_formula_says():
    # 1/log2(2) - 1/log2(3) of 5 %, and after two looks half of it: 1 - 1/log2(4).
    assert next_look(Spent(), "a").level == pytest.approx(0.05 * (1 - 1 / np.log2(3)))
    assert taken(2).spent == pytest.approx(0.025)


@pytest.mark.parametrize("looks", [0, 1, 5, 30, 100, 300], ids=str)
def test_a_look_has_the_permutations_to_reach_its_level(looks: int):
    look = next_look(taken(looks), "new")

    assert 1 / (1 + look.permutations) <= look.level * (1 + 1e-9)
    assert look.permutations <= MOST_PERMUTATIONS
    assert alarms(look, 1 / (1 + look.permutations))


def test_the_same_content_is_never_tested_twice():
    spent = after(Spent(), next_look(Spent(), "a"), "a")
    later = after(spent, next_look(spent, "b"), "b")

    again = next_look(later, "a")

    assert again.held_back == "the same content was tested before"
    assert after(later, again, "a") == later


def test_a_look_held_back_is_never_an_alarm():
    assert not alarms(Look(3, 0.0, 0, "the same content was tested before"), 0.0)


@pytest.mark.parametrize(
    ("p_value", "alarm"), [(0.01, True), (0.0101, False)], ids=["at-the-level", "just-over"]
)
def test_an_alarm_is_at_or_under_the_level(p_value: float, *, alarm: bool):
    assert alarms(Look(1, 0.01, 999), p_value) == alarm


def test_what_is_spent_survives_json():
    spent = taken(3)

    read = json.loads(json.dumps(asdict(spent)))

    assert Spent(read["level"], read["spent"], tuple(read["tested"])) == spent


def test_content_is_told_apart_by_its_documents_not_their_order():
    assert content_of(["a", "b"]) == content_of(["b", "a"])
    assert content_of(["a", "b"]) != content_of(["ab"])


def test_permutations_never_fall_short_of_a_level_over_the_cap():
    levels = [0.05 / count for count in (1, 3, 10, 100, 1_000, 5_000)]

    assert all(1 / (1 + permutations_for(level)) <= level * (1 + 1e-9) for level in levels)


def test_the_own_null_counts_alarms_at_the_level():
    # 8 of 200: Wilson's interval by hand is (0.0496 ± 0.0292) / 1.0192 = 0.020 to 0.077.
    found = own_null(lambda number: 0.05 if number < 8 else 0.051, draws=200)

    assert found is not None
    assert (found.alarms, found.share) == (8, 0.04)
    assert (found.low, found.high) == pytest.approx((0.0204, 0.0769), abs=0.0002)


def test_the_own_null_stops_when_time_is_out():
    answers = iter([False] * 30 + [True])

    found = own_null(lambda number: 1.0, draws=200, out_of_time=lambda: next(answers))

    assert found is not None
    assert (found.draws, found.share, found.low) == (30, 0.0, 0.0)
    assert found.high == pytest.approx(0.1135, abs=0.001)  # z² / (30 + z²)


def test_without_time_there_is_no_own_null():
    assert own_null(lambda number: 1.0, out_of_time=lambda: True) is None
