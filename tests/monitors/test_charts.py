"""Where the marks of a chart stand, worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from monitors.charts import SHOWN_CHECKS, Levels, TrendPoint, gauge, trend
from monitors.records import Action, DriftReport

LEVELS = Levels(watch=0.05, retrain=0.10)
START = datetime(2026, 1, 1, tzinfo=UTC)


def point(day: int, staleness: float = 0.0) -> TrendPoint:
    return TrendPoint(START + timedelta(days=day), staleness, Action.NONE)


def report(staleness: float, low: float = 0.0, high: float = 1.0) -> DriftReport:
    return DriftReport("a@1", "a@2", staleness, (), (), 1, 1, low, high)


def test_the_gauge_ends_at_half_over_the_retrain_level():
    placed = gauge(report(0.03), LEVELS)

    assert placed.upto == pytest.approx(0.15)
    assert (placed.value, placed.watch, placed.retrain) == (20.0, 33.33, 66.67)


def test_an_interval_that_is_not_known_is_not_drawn():
    assert gauge(report(0.03), LEVELS).low is None
    assert gauge(report(0.03, 0.0, 0.06), LEVELS).high == 40.0


def test_a_high_staleness_still_stands_in_the_gauge():
    assert gauge(report(1.0), LEVELS).value == 100.0


def test_time_runs_to_scale_and_more_staleness_stands_higher():
    drawn = trend([point(4, 0.2), point(0, 0.0), point(1, 0.1)], LEVELS)

    assert [mark.x for mark in drawn.marks] == [7.0, 29.75, 98.0]
    assert drawn.marks[0].y > drawn.marks[1].y > drawn.marks[2].y
    assert drawn.retrain.y == drawn.marks[1].y


@pytest.mark.parametrize("points", [[point(0)], [point(0), point(0)]], ids=["one", "same-time"])
def test_checks_at_one_time_stand_in_the_middle(points: list[TrendPoint]):
    assert {mark.x for mark in trend(points, LEVELS).marks} == {52.5}


def test_the_newest_checks_are_kept():
    drawn = trend([point(day) for day in range(SHOWN_CHECKS + 1)], LEVELS)

    assert len(drawn.marks) == SHOWN_CHECKS
    assert drawn.marks[0].point == point(1)


def test_no_checks_draw_nothing():
    assert trend([], LEVELS).marks == ()
