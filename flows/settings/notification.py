"""The table of the settings file that says whom to tell what, and when not to.

A target's URL holds its password, so the file names where the URL is, never the URL itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from flows.settings.source import Table
from flows.telling.notices import NoticeKind
from flows.telling.timing import DailyTime
from monitors.decision.quiet_hours import QuietHours, zone_named

_EVERY = tuple(NoticeKind)


def _hours(text: str) -> str:
    QuietHours.parse(text)
    return text


def _daily(text: str) -> str:
    DailyTime.parse(text)
    return text


def _zone(text: str) -> str:
    return zone_named(text).key


Hours = Annotated[str, AfterValidator(_hours)]
Daily = Annotated[str, AfterValidator(_daily)]
Zone = Annotated[str, AfterValidator(_zone)]
Kinds = Annotated[tuple[NoticeKind, ...], Field(min_length=1)]
TargetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


@dataclass(frozen=True, slots=True)
class Addressee:
    """A target with all that holds for it. Of a `digest` everything comes once a day."""

    name: str
    kinds: tuple[NoticeKind, ...]
    quiet_hours: QuietHours | None
    digest: DailyTime | None
    allow_private: bool

    def held_until(self, told: datetime, now: datetime) -> datetime | None:
        """Return until when what was told then is held, in UTC; None if it goes out now."""
        begun = self.digest.next_after(told) if self.digest else told
        if now < begun:
            return begun
        return self.quiet_hours.until(now) if self.quiet_hours else None


class Target(Table):
    """Where to send to, as a URL of apprise; what is left out is as [notify] says."""

    url_variable: str | None = Field(None, min_length=1)
    url_file: Path | None = None
    allow_private: bool = False
    kinds: Kinds | None = None
    quiet_hours: Hours | None = None
    digest: Daily | None = None

    @model_validator(mode="after")
    def _has_one_url(self) -> Self:
        if (self.url_variable is None) == (self.url_file is None):
            msg = "give either url_variable or url_file: the URL is a secret"
            raise ValueError(msg)
        return self


class Notify(Table):
    """Whom to tell, which kinds, and when not to. With no targets nobody is told anything.

    `digest` is the time of day at which one message tells all of the day before. `mlflow_address`
    is how people reach MLflow's pages, if not where `driftline up` serves them.
    """

    kinds: Kinds = _EVERY
    quiet_hours: Hours | None = None
    digest: Daily | None = None
    time_zone: Zone = "UTC"
    mlflow_address: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    targets: dict[TargetName, Target] = Field(default_factory=dict)

    def addressee(self, name: str) -> Addressee | None:
        """Return a target with what it takes from the table; None if there is none by the name."""
        target = self.targets.get(name)
        if target is None:
            return None
        hours = target.quiet_hours or self.quiet_hours
        digest = target.digest or self.digest
        return Addressee(
            name,
            target.kinds or self.kinds,
            QuietHours.parse(hours, self.time_zone) if hours else None,
            DailyTime.parse(digest, self.time_zone) if digest else None,
            target.allow_private,
        )

    def listening_to(self, kind: NoticeKind) -> tuple[str, ...]:
        """Return the names of the targets that want to know of a kind."""
        return tuple(
            name
            for name, target in sorted(self.targets.items())
            if kind in (target.kinds or self.kinds)
        )
