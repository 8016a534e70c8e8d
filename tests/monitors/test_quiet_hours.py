"""Quiet hours: both ends, midnight, and the days on which the clock is changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.decision.quiet_hours import QuietHours, zone_named


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-06:00", "2026-03-01T21:59:59", None),
        ("22:00-06:00", "2026-03-01T22:00:00", "2026-03-02T06:00:00"),
        ("22:00-06:00", "2026-03-02T00:00:00", "2026-03-02T06:00:00"),
        ("22:00-06:00", "2026-03-02T05:59:59", "2026-03-02T06:00:00"),
        ("22:00-06:00", "2026-03-02T06:00:00", None),
        ("09:00-17:00", "2026-03-01T08:59:59", None),
        ("09:00-17:00", "2026-03-01T09:00:00", "2026-03-01T17:00:00"),
        ("09:00-17:00", "2026-03-01T16:59:59", "2026-03-01T17:00:00"),
        ("09:00-17:00", "2026-03-01T17:00:00", None),
        ("22:00-00:00", "2026-03-01T23:59:59", "2026-03-02T00:00:00"),
        ("22:00-00:00", "2026-03-02T00:00:00", None),
        ("00:00-06:00", "2026-03-01T23:59:59", None),
        ("00:00-06:00", "2026-03-02T00:00:00", "2026-03-02T06:00:00"),
        ("06:01-06:00", "2026-03-01T06:00:30", None),
    ],
)
def test_the_start_is_included_and_the_end_is_not(hours: str, now: str, end: str | None):
    assert QuietHours.parse(hours).until(utc(now)) == (None if end is None else utc(end))


# Berlin: on 29 March 2026 at 02:00 (01:00 UTC) the clock goes to 03:00; on 25 October at 03:00
# (01:00 UTC) back to 02:00. Before is UTC+1, summer is UTC+2.
@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-06:00", "2026-03-28T20:59:59", None),
        ("22:00-06:00", "2026-03-28T21:00:00", "2026-03-29T04:00:00"),
        ("22:00-06:00", "2026-10-24T20:00:00", "2026-10-25T05:00:00"),
        ("22:00-06:00", "2026-10-25T04:59:59", "2026-10-25T05:00:00"),
        ("22:00-06:00", "2026-10-25T05:00:00", None),
        # 02:30 does not exist in March: the end is 03:30 summer time.
        ("22:00-02:30", "2026-03-29T01:29:59", "2026-03-29T01:30:00"),
        ("22:00-02:30", "2026-03-29T01:30:00", None),
        # ... and a start in the gap is quiet from half an hour before it.
        ("02:30-06:00", "2026-03-29T00:29:59", None),
        ("02:30-06:00", "2026-03-29T00:30:00", "2026-03-29T04:00:00"),
        # 02:30 comes twice in October: the end is the second, a start the first.
        ("22:00-02:30", "2026-10-25T01:29:59", "2026-10-25T01:30:00"),
        ("22:00-02:30", "2026-10-25T01:30:00", None),
        ("02:30-06:00", "2026-10-25T00:29:59", None),
        ("02:30-06:00", "2026-10-25T00:30:00", "2026-10-25T05:00:00"),
        ("02:30-06:00", "2026-10-25T01:15:00", "2026-10-25T05:00:00"),
    ],
)
def test_hours_are_of_the_wall_clock_on_the_days_it_is_changed(
    hours: str, now: str, end: str | None
):
    quiet = QuietHours.parse(hours, "Europe/Berlin")

    assert quiet.until(utc(now)) == (None if end is None else utc(end))


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive by contract
    hours=st.sampled_from(["22:00-06:00", "02:30-03:00", "00:00-23:59", "12:00-11:00"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_quiet_hours_end_within_a_day_and_their_end_is_not_quiet(
    now: datetime, hours: str, zone: str
):
    quiet = QuietHours.parse(hours, zone)

    end = quiet.until(now)

    if end is not None:
        assert now < end <= now + timedelta(hours=25)
        assert quiet.until(end) is None


@pytest.mark.parametrize(
    "hours",
    ["", "22-6", "22:00", "22:00-6:00", "24:00-06:00", "22:60-06:00", "22:00-22:00",
     " 22:00-06:00", "22:00-06:00\n", "٢٢:00-06:00", "22:00\u201306:00"],
)  # fmt: skip
def test_odd_hours_are_refused(hours: str):
    with pytest.raises(ValueError, match="two different times"):
        QuietHours.parse(hours)


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Europe/Berln", "'Europe/Berlin'"),
        ("europe/paris ", "'Europe/Paris'"),
        ("", "'Europe/Berlin'"),
        ("Europe", "such as"),
        ("../../etc/passwd", "such as"),
        ("/etc/localtime", "such as"),
        ("\0", "such as"),
        ("x" * 5_000, "such as"),
    ],
    ids=["typo", "case", "empty", "folder", "upwards", "absolute", "nul", "long"],
)
def test_an_unknown_zone_is_refused_with_a_name_that_exists(zone: str, near: str):
    with pytest.raises(ValueError, match="must name a time zone") as raised:
        zone_named(zone)

    assert near in str(raised.value)


def test_hours_are_shown_as_they_were_written():
    assert str(QuietHours.parse("22:00-06:30", "Europe/Berlin")) == "22:00-06:30 Europe/Berlin"
