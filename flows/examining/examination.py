"""What `driftline doctor` observes: a line for each thing, with a cure where one is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a thing is: as it should be, worth knowing, or in the way."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was looked at. `cure` is what to do, "" where nothing is."""

    name: str
    grade: Grade
    said: str
    cure: str = ""


def ok(name: str, said: str) -> Observation:
    """Return that a thing is as it should be."""
    return Observation(name, Grade.OK, said)


def warning(name: str, said: str, cure: str) -> Observation:
    """Return that a thing is worth knowing."""
    return Observation(name, Grade.WARNING, said, cure)


def failed(name: str, said: str, cure: str) -> Observation:
    """Return that a thing is in the way."""
    return Observation(name, Grade.FAILED, said, cure)


def status_of(observed: Iterable[Observation]) -> int:
    """Return the exit status: 0 if all is well, 1 with a warning, 2 if anything failed.

    >>> status_of([ok("a", "well"), warning("b", "hm", "rest")])
    1
    """
    grades = {each.grade for each in observed}
    return 2 if Grade.FAILED in grades else 1 if Grade.WARNING in grades else 0
