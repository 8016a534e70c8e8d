"""When an errand is tried again, and when a daily message is due. Pure: the clock is handed in."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from monitors.decision.quiet_hours import zone_named

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=24)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyTime:
    """A time of day by the wall clock of a zone."""

    at: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Self:
        """Read a time such as "08:00"; raise ValueError.

        >>> DailyTime.parse("08:00").at
        datetime.time(8, 0)
        """
        found = _TIME.fullmatch(text)
        if found is None:
            msg = "must be a time of day, such as '08:00'"
            raise ValueError(msg)
        return cls(time(int(found[1]), int(found[2])), zone_named(zone))

    def next_after(self, moment: datetime) -> datetime:
        """Return the first such time that is later, in UTC.

        >>> DailyTime.parse("08:00").next_after(datetime(2026, 3, 1, 8, tzinfo=UTC)).isoformat()
        '2026-03-02T08:00:00+00:00'
        """
        today = moment.astimezone(self.zone).date()
        days = (today + number * _DAY for number in range(3))
        instants = (datetime.combine(day, self.at, tzinfo=self.zone) for day in days)
        return next(each.astimezone(UTC) for each in instants if each.astimezone(UTC) > moment)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a round came to, in errands: gone out, held for later, and refused for now."""

    sent: int = 0
    held: int = 0
    refused: int = 0

    def __add__(self, other: Delivered) -> Delivered:
        """Return both together."""
        sent, held = self.sent + other.sent, self.held + other.held
        return Delivered(sent, held, self.refused + other.refused)


def next_try(key: str, attempts: int, now: datetime) -> datetime:
    """Return when to try again after so many attempts that failed, the last one just now.

    Twice as long each time, from FIRST_WAIT to LONGEST_WAIT, less up to half of it: what failed
    together does not come back together ("equal jitter"). The share is made from the key, so that
    a run that is repeated decides the same.

    >>> begun = datetime(2026, 3, 1, tzinfo=UTC)
    >>> FIRST_WAIT / 2 <= next_try("key", 1, begun) - begun <= FIRST_WAIT
    True
    """
    # 2 ** 12 times half a minute is more than a day; an exponent without a limit overflows.
    whole = min(FIRST_WAIT * (1 << min(max(attempts - 1, 0), 12)), LONGEST_WAIT)
    digest = hashlib.sha256(f"{key}|{attempts}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return now + whole * (1 - share / 2)
