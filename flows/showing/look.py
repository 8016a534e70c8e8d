"""Look at knowledge bases from every side: journal, schedule, outbox, disk. Writes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.journal.journal import Journal, open_journal
from flows.journal.outbox import DueErrand
from flows.settings.settings import Settings
from flows.showing.disk_use import DiskUse, disk_use
from flows.showing.next_run import NextRun, Slot, next_run
from flows.showing.status import Standing, standing

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Errands:
    """Errands of one kind that wait in the outbox, since when the oldest does.

    `why` is what the last attempt on any of them met, "" where none was refused.
    """

    kind: str
    waiting: int
    oldest: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """All that is shown about one knowledge base at one time."""

    standing: Standing
    next_run: NextRun
    outbox: tuple[Errands, ...]
    disk: DiskUse
    now: datetime


@contextmanager
def journal_to_read(settings: Settings) -> Iterator[Journal]:
    """Yield the journal; where none was begun, an empty one elsewhere: looking makes nothing."""
    url = settings.journal_url
    here = url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists()
    with ExitStack() as made:
        if here:
            folder = made.enter_context(tempfile.TemporaryDirectory(prefix="driftline-"))
            url = f"{_SQLITE}{folder}/journal.db"
        yield made.enter_context(open_journal(url))


def errands_of(waiting: Sequence[DueErrand], kb: str) -> tuple[Errands, ...]:
    """Return what waits for a knowledge base, by kind; `waiting` has the oldest first."""
    kinds: dict[str, list[DueErrand]] = {}
    for each in waiting:
        if each.kb == kb:
            kinds.setdefault(each.kind, []).append(each)
    return tuple(
        Errands(kind, len(found), found[0].time, next((e.why for e in found[::-1] if e.why), ""))
        for kind, found in sorted(kinds.items())
    )


def look(
    settings: Settings,
    journal: Journal,
    name: str,
    *,
    slots: Sequence[Slot] | None,
    now: datetime,
) -> Status:
    """Return how a knowledge base stands; `slots` is what a scheduler plans, if it said so."""
    kb = settings.knowledge_base(name)
    return Status(
        standing(journal, name, policy=kb.retrain_policy(), promotion=kb.promotion.mode, now=now),
        next_run(settings, name, slots, now),
        errands_of(journal.waiting(), name),
        disk_use(settings.home_folder, name),
        now,
    )
