"""Where the marks of the charts on the page stand: percent of the width and height. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from monitors.records import Action, DriftReport

# More points than this touch each other on a screen.
SHOWN_CHECKS = 200
# Percent of the chart that stays free for the numbers at its left and the dates beneath it.
_LEFT, _RIGHT, _TOP, _BOTTOM = 7.0, 98.0, 12.0, 84.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Levels:
    """From which staleness on, a share 0..1, people are told, and the model is trained anew."""

    watch: float
    retrain: float


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One check: its time, staleness (0..1), action, and whether a model was trained on it."""

    time: datetime
    staleness: float
    action: Action
    retrained: bool = False


@dataclass(frozen=True, slots=True)
class Gauge:
    """Staleness on an axis from 0 to `upto`; all else in percent of its width.

    `low` and `high` are None where no interval is known.
    """

    upto: float
    value: float
    low: float | None
    high: float | None
    watch: float
    retrain: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A share, and the height at which it stands, in percent from the top."""

    share: float
    y: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A check in the chart, in percent from the left and from the top."""

    x: float
    y: float
    point: TrendPoint


@dataclass(frozen=True, slots=True)
class Trend:
    """Staleness over the checks, oldest first: marks, the lines between them, and the axis."""

    marks: tuple[Mark, ...]
    lines: tuple[tuple[Mark, Mark], ...]
    ticks: tuple[Tick, ...]
    watch: Tick
    retrain: Tick


def gauge(report: DriftReport, levels: Levels) -> Gauge:
    """Return where staleness stands between the levels; the axis holds all of them.

    A report whose interval is all of 0..1 does not know one.
    """
    known = (report.staleness_low, report.staleness_high) != (0.0, 1.0)
    highest = max(report.staleness, report.staleness_high if known else 0.0)
    upto = min(1.0, max(1.5 * levels.retrain, 1.15 * highest, 0.01))

    def place(share: float) -> float:
        return round(100 * min(share / upto, 1.0), 2)

    return Gauge(
        upto=upto,
        value=place(report.staleness),
        low=place(report.staleness_low) if known else None,
        high=place(report.staleness_high) if known else None,
        watch=place(levels.watch),
        retrain=place(levels.retrain),
    )


def trend(points: Sequence[TrendPoint], levels: Levels) -> Trend:
    """Return the chart of the newest checks; time runs to scale, oldest at the left."""
    shown = sorted(points, key=lambda point: point.time)[-SHOWN_CHECKS:]
    top = max([levels.retrain, *(point.staleness for point in shown)])
    step = next((step for step in _STEPS if top / step < _MOST_TICKS), _STEPS[-1])
    count = int(top / step) + 1

    def tick(share: float) -> Tick:
        height = share / (count * step)
        return Tick(share, round(_BOTTOM - height * (_BOTTOM - _TOP), 2))

    marks = tuple(
        Mark(x, tick(point.staleness).y, point)
        for point, x in zip(shown, _across([point.time for point in shown]), strict=True)
    )
    ticks = tuple(tick(number * step) for number in range(count + 1))
    lines = tuple(pairwise(marks))
    return Trend(marks, lines, ticks, tick(levels.watch), tick(levels.retrain))


def _across(times: list[datetime]) -> list[float]:
    """Return where each time stands; one alone stands in the middle."""
    if not times:
        return []
    span = (times[-1] - times[0]).total_seconds()
    if span == 0:
        return [(_LEFT + _RIGHT) / 2] * len(times)
    shares = ((time - times[0]).total_seconds() / span for time in times)
    return [round(_LEFT + share * (_RIGHT - _LEFT), 2) for share in shares]
