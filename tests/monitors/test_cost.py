"""What a retraining would cost: figures worked out by hand, and what is said of them."""

import pytest

from monitors.decision.cost import PastRun, describe, duration, estimate
from monitors.records import Cost


def seconds(past: list[PastRun], planned_tokens: int = 30_000) -> float | None:
    return estimate(past, planned_tokens=planned_tokens).seconds


def test_a_first_retraining_has_no_known_cost():
    cost = estimate([], planned_tokens=30_000, price_per_hour=3.0)

    assert cost == Cost(None, None, "EUR", "no retraining was run here yet")


def test_training_grows_with_the_tokens_and_weighing_does_not():
    past = [PastRun(100.0, 20.0, tokens=10_000)]

    assert seconds(past, planned_tokens=10_000) == 120.0
    assert seconds(past, planned_tokens=30_000) == 320.0


def test_one_slow_run_does_not_count():
    past = [PastRun(100.0, 20.0, tokens=10_000)] * 2 + [PastRun(9_000.0, 900.0, tokens=10_000)]

    assert seconds(past) == 320.0


def test_only_the_last_five_runs_count():
    slow, fast = PastRun(1_000.0, 200.0, tokens=10_000), PastRun(100.0, 20.0, tokens=10_000)

    assert seconds([slow] * 4 + [fast] * 3) == 320.0
    assert seconds([fast] * 3 + [slow] * 4) == 3_200.0
    assert seconds([slow] * 9 + [fast] * 5) == 320.0


def test_runs_that_did_not_count_tokens_are_taken_as_they_were():
    cost = estimate([PastRun(100.0, 20.0), PastRun(300.0, 40.0)], planned_tokens=30_000)

    assert cost.seconds == 230.0
    assert cost.basis == "from the last 2 retrainings, which were as long"


def test_runs_that_counted_tokens_win_over_those_that_did_not():
    cost = estimate(
        [PastRun(9_000.0, 20.0), PastRun(100.0, 20.0, tokens=10_000)], planned_tokens=30_000
    )

    assert cost.seconds == 320.0
    assert cost.basis == "from the last 2 retrainings, for 30,000 tokens"


@pytest.mark.parametrize(
    "odd",
    [
        PastRun(-5.0, 20.0, tokens=10_000),
        PastRun(100.0, -20.0, tokens=10_000),
        PastRun(float("nan"), 20.0, tokens=10_000),
        PastRun(float("inf"), 20.0, tokens=10_000),
        PastRun(0.0, 0.0, tokens=10_000),
    ],
    ids=["clock-put-back", "weighing-put-back", "nan", "infinite", "nothing-done"],
)
def test_a_run_that_cannot_have_been_is_left_out(odd: PastRun):
    assert seconds([odd]) is None
    assert seconds([PastRun(100.0, 20.0, tokens=10_000), odd]) == 320.0


def test_a_run_of_no_tokens_divides_nothing():
    assert seconds([PastRun(100.0, 20.0, tokens=0)]) == 120.0


@pytest.mark.parametrize(
    ("price", "money"), [(None, None), (0.0, 0.0), (36.0, 3.2)], ids=["unset", "free", "priced"]
)
def test_money_is_hours_by_the_price(price: float | None, money: float | None):
    past = [PastRun(100.0, 20.0, tokens=10_000)]

    cost = estimate(past, planned_tokens=30_000, price_per_hour=price, currency="CHF")

    assert cost.money == (None if money is None else pytest.approx(money))
    assert cost.currency == "CHF"


@pytest.mark.parametrize(
    ("cost", "staleness", "said"),
    [
        (
            Cost(None, None, "EUR", "no retraining was run here yet"),
            0.09,
            "renew what answers 9 of 100 questions; what it would cost is unknown: no retraining",
        ),
        (
            Cost(240.0, None, "EUR", ""),
            0.004,
            "cost about 4 min and renew what answers fewer than 1 of 100 questions",
        ),
        (
            Cost(240.0, 1_234.5, "EUR", ""),
            1.0,
            "cost about 4 min (1,234.50 EUR) and renew what answers 100 of 100 questions",
        ),
        (
            Cost(240.0, 0.009, "EUR", ""),
            0.006,
            "cost about 4 min (under 0.01 EUR) and renew what answers 1 of 100 questions",
        ),
        (
            Cost(240.0, 0.0, "EUR", ""),
            0.5,
            "cost about 4 min (0.00 EUR) and renew what answers 50 of 100 questions",
        ),
    ],
    ids=["unknown", "no-price", "dear", "cheap", "free"],
)
def test_the_cost_is_said_beside_what_it_buys(cost: Cost, staleness: float, said: str):
    words = describe(cost, staleness)

    assert words.startswith("retraining would ")
    assert said in words


def test_a_cost_that_nobody_asked_for_is_not_said():
    assert describe(None, 0.09) == ""


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0.4, "0 s"),
        (89.9, "90 s"),
        (90.0, "2 min"),
        (5_399.0, "90 min"),
        (5_400.0, "1.5 h"),
        (86_400.0, "24.0 h"),
    ],
)
def test_a_length_of_time_is_written_in_the_unit_people_count_in(length: float, said: str):
    assert duration(length) == said
