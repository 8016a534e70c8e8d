"""What a verification found: every damaged thing with its place, what answers still, what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from flows.journal.journal import Line

VERIFICATION = "verification"
_MOST_KEPT = 100  # findings in a journal entry: who verifies again sees them all


class Depth(StrEnum):
    """How much is looked at: what things say of themselves, a sample of them, or all."""

    QUICK = "quick"
    SUBSET = "subset"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged thing. `answers` is what still does, `cure` the next command or step."""

    code: str
    place: str
    what: str
    answers: str
    cure: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, how deep, and what is damaged; nothing is, where `findings` is empty.

    `checked` counts what was looked at, by kind. `remarks` are no damage: what could not be looked
    at, and what a person may want to know.
    """

    kb: str
    depth: Depth
    release: str
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    checked: dict[str, int] = field(hash=False)
    seconds: float

    @property
    def line(self) -> Line:
        """The verification as a line of the journal, findable by the release that it was about."""
        payload: dict[str, Any] = {
            "depth": self.depth.value,
            "findings": [asdict(each) for each in self.findings[:_MOST_KEPT]],
            "found": len(self.findings),
            "remarks": list(self.remarks),
            "checked": self.checked,
            "seconds": round(self.seconds, 3),
        }
        return Line(VERIFICATION, payload, key=self.release)


@dataclass(slots=True)
class Notes:
    """What is written down while one looks."""

    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)

    def found(self, code: str, place: object, what: str, *, answers: str, cure: str) -> None:
        """Write down one damaged thing."""
        self.findings.append(Finding(code, str(place), what, answers, cure))
