"""The hours of a day in which no retraining is begun, right over midnight and clock changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start`, included, to `end`, excluded, by the wall clock of a zone.

    Where the clock is put forward or back over a limit, the longer of the two readings is quiet.
    """

    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, hours: str, zone: str = "UTC") -> Self:
        """Read hours such as "22:00-06:00" in a zone such as "Europe/Berlin"; raise ValueError.

        >>> str(QuietHours.parse("22:00-06:00"))
        '22:00-06:00 UTC'
        """
        found = _HOURS.fullmatch(hours)
        if found is None or found.group(1, 2) == found.group(3, 4):
            msg = "must be two different times, such as '22:00-06:00'"
            raise ValueError(msg)
        hour, minute, end_hour, end_minute = map(int, found.groups())
        return cls(time(hour, minute), time(end_hour, end_minute), zone_named(zone))

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours around `now` end, in UTC; None outside of them.

        >>> night = QuietHours.parse("22:00-06:00")
        >>> night.until(datetime(2026, 3, 1, 23, tzinfo=UTC)).isoformat()
        '2026-03-02T06:00:00+00:00'
        >>> night.until(datetime(2026, 3, 1, 6, tzinfo=UTC))
        """
        today = now.astimezone(self.zone).date()
        for day in (today - _DAY, today):
            last_day = day if self.start < self.end else day + _DAY
            end = max(self._instants(last_day, self.end))
            if min(self._instants(day, self.start)) <= now < end:
                return end
        return None

    def _instants(self, day: date, at: time) -> list[datetime]:
        """Return the instants that a wall clock time can mean: two where the clock is changed."""
        local = datetime.combine(day, at, tzinfo=self.zone)
        return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone; raise ValueError with the nearest name there is.

    >>> zone_named("Europe/Berln")
    Traceback (most recent call last):
    ...
    ValueError: must name a time zone, such as 'Europe/Berlin'
    """
    try:
        return ZoneInfo(name)
    # A name that climbs out of the tables is a ValueError, one of a folder an OSError.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.5)
        msg = f"must name a time zone, such as {near[0] if near else 'Europe/Berlin'!r}"
        raise ValueError(msg) from error
