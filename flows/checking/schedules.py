"""Which look of a schedule a test takes, remembered in the journal from check to check."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from flows.journal.journal import Fence, Journal
from monitors.sampling.schedule import Look, OwnNull, Spent, after, next_look, permutations_for

_KIND = "schedule"
_NULL = "own null"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The tests of one kind against one reference: what was spent, and each content's look.

    `looks` has content → (number, level): the same content is tested again at the level it had, so
    that a check that sees nothing new repeats its answer and spends nothing.
    """

    key: str
    spent: Spent
    looks: dict[str, tuple[int, float]]

    def look(self, content: str) -> Look:
        """Return the look at this content."""
        if content in self.looks:
            number, level = self.looks[content]
            return Look(number, level, permutations_for(level))
        return next_look(self.spent, content)

    def after(self, look: Look, content: str) -> Schedule:
        """Return the schedule once the look was taken; itself if it was taken before."""
        if look.held_back or content in self.looks:
            return self
        looks = self.looks | {content: (look.number, look.level)}
        return replace(self, spent=after(self.spent, look, content), looks=looks)


def read_schedule(journal: Journal, kb: str, kind: str, reference: str) -> Schedule:
    """Return the schedule of one kind of test against a reference; a new one begins empty."""
    key = f"{kind}:{reference}"
    entry = journal.last(kb, _KIND, key=key)
    if entry is None:
        return Schedule(key, Spent(), {})
    spent = entry.payload["spent"]
    looks = {content: (int(at), level) for content, (at, level) in entry.payload["looks"].items()}
    return Schedule(key, Spent(spent["level"], spent["spent"], tuple(spent["tested"])), looks)


def keep_schedule(
    journal: Journal, kb: str, schedule: Schedule, *, time: datetime, fence: Fence
) -> None:
    """Remember a schedule, unless it stands as it is remembered."""
    known = journal.last(kb, _KIND, key=schedule.key)
    payload = {"spent": asdict(schedule.spent), "looks": schedule.looks}
    if known is None or len(known.payload["looks"]) < len(schedule.looks):
        journal.append(kb, _KIND, payload, time=time, key=schedule.key, fence=fence)


def read_null(journal: Journal, kb: str, reference: str) -> OwnNull | None:
    """Return the false-alarm rate that was played on a reference, None if it was not."""
    entry = journal.last(kb, _NULL, key=reference)
    return OwnNull(**entry.payload) if entry else None


def keep_null(
    journal: Journal, kb: str, reference: str, null: OwnNull, *, time: datetime, fence: Fence
) -> None:
    """Remember the false-alarm rate of a reference."""
    journal.append(kb, _NULL, asdict(null), time=time, key=reference, fence=fence)
