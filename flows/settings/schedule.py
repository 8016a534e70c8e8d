"""Tables of the settings file that say when scheduled runs begin: cron lines, and a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

from flows.settings.source import Table
from monitors.decision.quiet_hours import QuietHours, zone_named

Kind = Literal["monitor", "maintain", "verify"]
"""What runs on a schedule."""

NEVER = "never"
SLUG = "driftline"
"""How the names of our schedules begin on a Prefect server; those of people begin otherwise."""

# The five fields of a cron line: name, smallest and largest number (Sunday is 0 and 7).
_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
# What Prefect's cron lines and these have in common; it knows more, such as `@hourly`.
_STEPS = "numbers, names of days or months, '*', ',', '-' and '/'"
_YEAR_DAYS = 366
_YEAR = timedelta(days=_YEAR_DAYS)
# Some zones change their clocks at half past an hour.
_STEP = timedelta(minutes=30)
_STEPS_A_DAY = 48


def read_cron(line: str) -> str:
    """Return a cron line with single spaces; raise ValueError saying which field is wrong.

    >>> read_cron(" 0  * * * * ")
    '0 * * * *'
    >>> read_cron("61 * * * *")
    Traceback (most recent call last):
    ...
    ValueError: has the minute '61', which must be 0 to 59
    """
    if line.strip().lower() == NEVER:
        return NEVER
    parts = line.split()
    if len(parts) != len(_FIELDS):
        msg = (
            "must be five fields (minute, hour, day of the month, month, day of the week), such "
            f"as '0 * * * *' for every hour, or '{NEVER}'; there are {len(parts)}, and nothing "
            "runs more than once a minute"
        )
        raise ValueError(msg)
    for (name, low, high), part in zip(_FIELDS, parts, strict=True):
        _refuse_field(name, low, high, part)
    return " ".join(parts)


def _refuse_field(name: str, low: int, high: int, part: str) -> None:
    numbers = [int(word) for word in _words(part) if word.isdecimal()]
    wrong = [number for number in numbers if not low <= number <= high]
    if wrong and "/" not in part:
        msg = f"has the {name} {str(wrong[0])!r}, which must be {low} to {high}"
        raise ValueError(msg)
    # Alone in its place, so that the message can name the field.
    at = [field[0] for field in _FIELDS].index(name)
    alone = ["*"] * len(_FIELDS)
    alone[at] = part
    try:
        CronSim(" ".join(alone), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        msg = f"has the {name} {part!r}, which must be {low} to {high}, of {_STEPS}"
        raise ValueError(msg) from error


def _words(part: str) -> list[str]:
    return part.replace(",", " ").replace("-", " ").split()


Cron = Annotated[str, AfterValidator(read_cron)]
Zone = Annotated[str, AfterValidator(lambda name: zone_named(name).key)]


class Schedule(Table):
    """When scheduled runs begin, for every knowledge base that does not say otherwise."""

    monitor: Cron = "0 * * * *"
    maintain: Cron = "30 3 * * *"
    verify: Cron = "15 4 * * 0"
    timezone: Zone = "UTC"


class KbSchedule(Table):
    """When scheduled runs of one knowledge base begin, where that differs."""

    monitor: Cron | None = None
    maintain: Cron | None = None
    verify: Cron | None = None
    timezone: Zone | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """One schedule: its cron line by the clock of a zone. `kb` is "" for every knowledge base."""

    kb: str
    cron: str
    timezone: str

    @property
    def slug(self) -> str:
        """What the schedule is called on the Prefect server, so that it is found again."""
        return f"{SLUG}-{self.kb}" if self.kb else SLUG


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A clock change that a schedule falls into: local times that do not exist, or do twice."""

    start: datetime
    end: datetime
    twice: bool


def begins(kind: Kind, shared: Schedule, own: dict[str, KbSchedule]) -> tuple[Begin, ...]:
    """Return the schedules of a kind of run: one for all, or one each where some differ.

    >>> [begin.slug for begin in begins("monitor", Schedule(), {"docs": KbSchedule()})]
    ['driftline']
    """
    each = tuple(begin_of(kind, shared, name, table) for name, table in sorted(own.items()))
    if len({(begin.cron, begin.timezone) for begin in each}) > 1:
        return tuple(begin for begin in each if begin.cron != NEVER)
    return tuple(Begin("", begin.cron, begin.timezone) for begin in each[:1] if begin.cron != NEVER)


def begin_of(kind: Kind, shared: Schedule, name: str, own: KbSchedule) -> Begin:
    """Return the schedule of a kind of run for one knowledge base."""
    return Begin(
        name,
        getattr(own, kind) or getattr(shared, kind),
        own.timezone or shared.timezone,
    )


def only_in_quiet_hours(begin: Begin, hours: QuietHours) -> bool:
    """Return whether every run of a schedule begins in quiet hours, the year round.

    >>> nightly = Begin("docs", "0 2 * * *", "UTC")
    >>> only_in_quiet_hours(nightly, QuietHours.parse("22:00-06:00"))
    True
    """
    if begin.cron == NEVER:
        return False
    # Any whole year has both clock changes in it.
    first = datetime(2026, 1, 1, tzinfo=zone_named(begin.timezone))
    runs = takewhile(lambda run: run < first + _YEAR, CronSim(begin.cron, first))
    quiet = (hours.until(run.astimezone(UTC)) is not None for run in runs)
    return next(quiet, False) and all(quiet)


def clock_changes(begin: Begin, now: datetime) -> Iterator[ClockChange]:
    """Yield the clock changes of the coming year that a schedule at fixed hours falls into.

    One that runs every hour, or every few hours, loses or repeats nothing that the next run does
    not make good.
    """
    if begin.cron.split()[1].startswith("*"):
        return
    for change in _changes(begin.timezone, now):
        first = next(CronSim(begin.cron, change.start - timedelta(seconds=1)), None)
        if first is not None and first < change.end:
            yield change


def _changes(zone: str, now: datetime) -> Iterator[ClockChange]:
    """Yield the clock changes of a year in a zone, with local times that carry no zone."""
    place = zone_named(zone)
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    steps = (first + n * _STEP for n in range(_YEAR_DAYS * _STEPS_A_DAY))
    for before, after in pairwise(moment.astimezone(place) for moment in steps):
        # By the old clock it would be this late; by the new one it is.
        old, new = before.replace(tzinfo=None) + _STEP, after.replace(tzinfo=None)
        if old != new:
            yield ClockChange(min(old, new), max(old, new), twice=new < old)
