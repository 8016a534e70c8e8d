"""What a policy is measured against: calendars, thresholds, and the best in hindsight. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.replaying.past import Past, Schedule, score

# Periods and phases of the calendars that are tried: fine enough that a mean over those that cost
# as much moves by less than a tenth when either is doubled (measured on three projects).
PERIODS = 200
PHASES = 16


@dataclass(frozen=True, slots=True)
class Calendars:
    """All calendars that retrain a given number of times, on average: nobody knows the luckiest.

    A calendar retrains at the first version at or after each of its dates, which are a period
    apart; a date before which nothing new came is skipped and costs nothing. `beaten` is the share
    of them that the policy beats in mean and worst staleness, `typical` the one whose mean
    staleness is the median.
    """

    schedules: int
    retrainings: int
    mean: float
    worst: float
    met: float
    beaten: float
    typical: Schedule


def calendars(past: Past, policy: Schedule) -> Calendars | None:
    """Return the calendars that cost what the policy costs, None if it never retrains.

    Where no calendar retrains exactly as often, those that do so next more often are taken, which
    is in the calendar's favour.
    """
    if not policy.retrainings:
        return None
    family = _family(past.days, policy.retrainings)
    scored = [score(past, "calendar", past.at_once(positions)) for positions in family]
    weights = np.array(list(family.values()), dtype=float)
    weights /= weights.sum()
    found = np.array([(each.mean, each.worst, each.met) for each in scored])
    mean, worst, met = weights @ found
    beaten = (found[:, 0] > policy.mean) & (found[:, 1] > policy.worst)
    middle = np.argsort(found[:, 0], kind="stable")
    typical = middle[np.searchsorted(np.cumsum(weights[middle]), 0.5)]
    return Calendars(
        schedules=len(family),
        retrainings=scored[0].retrainings,
        mean=float(mean),
        worst=float(worst),
        met=float(met),
        beaten=float(weights[beaten].sum()),
        typical=scored[typical],
    )


def fixed(past: Past, level: float) -> Schedule:
    """Retrain whenever the staleness since the last training reaches a level, and ask no more."""
    reference, positions = 0, []
    for current in range(1, len(past)):
        if past.staleness[reference, current] >= level:
            positions.append(current)
            reference = current
    return score(past, "fixed threshold", past.at_once(positions))


def step_to_step(past: Past, level: float) -> Schedule:
    """Retrain whenever a version differs so much from the one before: blind to slow drift."""
    steps = [float(past.staleness[at - 1, at]) for at in range(1, len(past))]
    positions = [at for at, step in enumerate(steps, start=1) if step >= level]
    return score(past, "step to step", past.at_once(positions))


def least_mean(past: Past, retrainings: int) -> Schedule:
    """Return the schedule of so many retrainings with the least mean staleness of all."""
    positions = _best(_areas(past), retrainings)
    return score(past, "hindsight, least mean", past.at_once(positions))


def least_worst(past: Past, retrainings: int) -> Schedule:
    """Return the schedule with the least worst staleness; among those, with the least mean."""
    worst, areas = _worsts(past), _areas(past)
    at_best = _best(worst, retrainings, by_worst=True)
    limit = max(worst[begin, stop] for begin, stop in _stretches(at_best, len(past)))
    allowed = np.where(worst <= limit, areas, np.inf)
    positions = _best(allowed, retrainings)
    return score(past, "hindsight, least worst", past.at_once(positions))


def _family(days: NDArray[np.float64], wanted: int) -> Counter[tuple[int, ...]]:
    """Return calendars by the versions they retrain on, each with how many periods and phases."""
    gaps = np.diff(days)
    span = days[-1]
    shortest = gaps[gaps > 0].min() if (gaps > 0).any() else 1.0
    made: dict[int, Counter[tuple[int, ...]]] = {}
    for period in np.geomspace(shortest, max(shortest, span / wanted), PERIODS):
        for phase in (np.arange(PHASES) + 0.5) / PHASES:
            dates = np.arange(phase * period, span + period / 1e6, period)
            on = set(np.searchsorted(days, dates).tolist()) - {0, len(days)}
            made.setdefault(len(on), Counter())[tuple(sorted(on))] += 1
    enough = [count for count in made if count >= wanted]
    return made[min(enough)] if enough else made[max(made)]


def _areas(past: Past) -> NDArray[np.float64]:
    """Return, for a training on i that serves up to before j, its part of the mean staleness."""
    count = len(past)
    found = np.full((count, count + 1), np.inf)
    for begin in range(count):
        parts = past.staleness[begin, begin:] * past.weights[begin:]
        found[begin, begin + 1 :] = np.cumsum(parts)
    return found


def _worsts(past: Past) -> NDArray[np.float64]:
    """Return, for a training on i that serves up to before j, the worst that stood for any time."""
    count = len(past)
    found = np.full((count, count + 1), np.inf)
    for begin in range(count):
        stood = np.where(past.weights[begin:] > 0, past.staleness[begin, begin:], 0.0)
        found[begin, begin + 1 :] = np.maximum.accumulate(stood)
    return found


def _best(
    stretches: NDArray[np.float64], retrainings: int, *, by_worst: bool = False
) -> tuple[int, ...]:
    """Divide the versions into stretches, one more than retrainings, at the least total.

    Dynamic programming over (retrainings so far, where the current stretch begins): the total is
    the sum of the stretches, or the largest with `by_worst`. Bellman, "Dynamic Programming", 1957.
    """
    totals = stretches[0]
    came_from: list[NDArray[np.intp]] = []
    for _ in range(retrainings):
        before = totals[:-1, None]  # [where a stretch begins, where it stops]
        combined = np.maximum(before, stretches) if by_worst else before + stretches
        came_from.append(np.argmin(combined, axis=0))
        totals = combined.min(axis=0)
    positions: list[int] = []
    stop = len(totals) - 1
    for origins in reversed(came_from):
        stop = int(origins[stop])
        positions.append(stop)
    return tuple(reversed(positions))


def _stretches(positions: Sequence[int], count: int) -> list[tuple[int, int]]:
    return list(zip([0, *positions], [*positions, count], strict=True))
