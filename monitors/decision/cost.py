"""What a retraining would cost here, from what earlier ones took. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from monitors.records import Cost

# The last few: an older run may have been made on another machine, with another base model.
_RUNS = 5
_HOUR = 3_600.0
_MINUTE = 60.0
# From here on people count in the next larger unit.
_MINUTES_FROM = 90.0
_HOURS_FROM = 90.0
_LEAST_MONEY = 0.01


@dataclass(frozen=True, slots=True)
class PastRun:
    """What one retraining took: training, and weighing both models, which no budget changes.

    `tokens` were trained on; None where the run did not say.
    """

    training_seconds: float
    weighing_seconds: float
    tokens: int | None = None


def estimate(
    past: Sequence[PastRun],
    *,
    planned_tokens: int,
    price_per_hour: float | None = None,
    currency: str = "EUR",
) -> Cost:
    """Estimate from the last five runs, oldest first: median seconds a token x tokens + weighing.

    Medians, so that one run beside a busy neighbour does not count. Where no run said how many
    tokens it had, the next is taken to be as long as they were.

    >>> estimate([PastRun(100.0, 20.0, tokens=10_000)], planned_tokens=30_000).seconds
    320.0
    """
    runs = [run for run in past if _plausible(run)][-_RUNS:]
    if not runs:
        return Cost(None, None, currency, "no retraining was run here yet")
    measured = [run.training_seconds / run.tokens for run in runs if run.tokens]
    training = (
        median(measured) * planned_tokens
        if measured
        else median(run.training_seconds for run in runs)
    )
    seconds = training + median(run.weighing_seconds for run in runs)
    money = None if price_per_hour is None else seconds / _HOUR * price_per_hour
    last = "the last retraining" if len(runs) == 1 else f"the last {len(runs)} retrainings"
    planned = f", for {planned_tokens:,} tokens" if measured else ", which were as long"
    return Cost(seconds, money, currency, f"from {last}{planned}")


def describe(cost: Cost | None, staleness: float) -> str:
    """Say what a retraining would cost beside what it would buy; "" where nobody asked.

    >>> describe(Cost(240.0, 0.17, "EUR", "from the last retraining"), 0.09)
    'retraining would cost about 4 min (0.17 EUR) and renew what answers 9 of 100 questions'
    """
    if cost is None:
        return ""
    buys = f"renew what answers {_questions(staleness)}"
    if cost.seconds is None:
        return f"retraining would {buys}; what it would cost is unknown: {cost.basis}"
    money = "" if cost.money is None else f" ({_money(cost.money)} {cost.currency})"
    return f"retraining would cost about {duration(cost.seconds)}{money} and {buys}"


def duration(seconds: float) -> str:
    """Write a length of time for people.

    >>> duration(45), duration(240), duration(9_000)
    ('45 s', '4 min', '2.5 h')
    """
    if seconds < _MINUTES_FROM:
        return f"{seconds:.0f} s"
    if seconds < _HOURS_FROM * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def _plausible(run: PastRun) -> bool:
    """Tell whether a run can be counted on: a clock that was put back makes times negative."""
    times = (run.training_seconds, run.weighing_seconds)
    return all(math.isfinite(seconds) and seconds >= 0 for seconds in times) and sum(times) > 0


def _money(money: float) -> str:
    return f"{money:,.2f}" if money >= _LEAST_MONEY or money == 0 else "under 0.01"


def _questions(staleness: float) -> str:
    share = round(staleness * 100)
    return f"{share} of 100 questions" if share else "fewer than 1 of 100 questions"
