"""How a knowledge base stands: read from the journal alone. Nothing here writes, or asks a server.

What stands elsewhere (the next run, the disk) is asked in files of their own and shown beside it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from flows.erasing.erasures import Taint, taint_of
from flows.journal import lease
from flows.journal.holders import read_holder
from flows.journal.journal import Entry, Journal
from flows.promoting.promotions import Freeze, frozen, withdrawn
from flows.release import Published
from flows.settings.training import PromotionMode
from monitors.decision.policy import RetrainPolicy
from monitors.records import Action

DECISIONS = 5
"""How many decisions are told: those of half a working day, hour by hour."""


class Level(StrEnum):
    """Where the staleness of the last check stands between the policy's two levels."""

    FRESH = "fresh"
    WATCH = "watch"
    RETRAIN = "retrain"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Staleness:
    """A share of questions, 0..1, with its 95 % interval; the interval is None in old checks."""

    share: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One check: what it decided, why, and the run of MLflow that has the rest."""

    time: datetime
    number: int
    action: Action
    staleness: Staleness | None
    reason: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """What stopped the last look at the sources."""

    time: datetime
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class OldText:
    """Documents that answer with old text, and the one reason why their new text did not come."""

    reason: str
    documents: int


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that somebody holds: which process, on which host, and since when it runs.

    Not `certain` where it runs on another host and was `heard` too long ago, or in the future, by
    this host's clock: it may be dead, or one of the two clocks is wrong. The next run finds out.
    """

    since: datetime
    host: str
    process: int
    heard: datetime
    certain: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a person has to say yes to, since when, and with which command."""

    what: str
    since: datetime
    command: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a knowledge base stands.

    `published` is what answers; `since` is when that release began to answer, and `taken` when its
    snapshot was first published: both look past publications of the same content (upkeep).
    `read` is when the sources were last read to the end. None where it never happened.
    """

    kb: str
    published: Published | None
    since: datetime | None
    taken: datetime | None
    read: datetime | None
    documents: int
    chunks: int
    old_text: tuple[OldText, ...]
    decisions: tuple[Decided, ...]
    watch_level: float
    retrain_level: float
    stopped: Stopped | None
    frozen: Freeze | None
    tainted: Taint | None
    training: Held | None
    writing: Held | None
    waiting: Waiting | None
    snapshots: int

    @property
    def last(self) -> Decided | None:
        """The last check, None before the first."""
        return self.decisions[-1] if self.decisions else None

    @property
    def level(self) -> Level:
        """Where the last check's staleness stands between the levels of the settings as of now."""
        known = self.last.staleness if self.last else None
        return level_of(known, watch=self.watch_level, retrain=self.retrain_level)


def level_of(staleness: Staleness | None, *, watch: float, retrain: float) -> Level:
    """Return the level that a staleness has reached, inclusive.

    >>> level_of(Staleness(0.055, None, None), watch=0.011, retrain=0.055)
    <Level.RETRAIN: 'retrain'>
    """
    if staleness is None:
        return Level.UNKNOWN
    if staleness.share >= retrain:
        return Level.RETRAIN
    return Level.WATCH if staleness.share >= watch else Level.FRESH


def standing(
    journal: Journal,
    kb: str,
    *,
    policy: RetrainPolicy,
    promotion: PromotionMode,
    now: datetime,
) -> Standing:
    """Return how a knowledge base stands, by the journal."""
    history = journal.history(kb)
    published = history[-1] if history else None
    digest = published.release.content_digest if published else None
    refreshed = journal.last(kb, "refresh")
    kinds = ("refresh", "count")
    counted = next(filter(None, (journal.last(kb, each, key=digest) for each in kinds)), refreshed)
    checks = tuple(map(decided, journal.entries(kb, "check", newest=DECISIONS)))
    return Standing(
        kb=kb,
        published=published,
        since=_since(history),
        taken=_taken(history),
        read=_read(refreshed, checks),
        documents=counted.payload["documents"] if counted else 0,
        chunks=counted.payload["chunks"] if counted else 0,
        old_text=_old_text(journal, kb),
        decisions=checks,
        watch_level=policy.watch_level,
        retrain_level=policy.retrain_level,
        stopped=_stopped(journal, kb),
        frozen=frozen(journal, kb),
        tainted=taint_of(journal, kb, published.release.model_version) if published else None,
        training=_held(journal, f"{kb}:training", now),
        writing=_held(journal, kb, now),
        waiting=_waiting(journal, kb, published, checks, promotion),
        snapshots=len({each.release.snapshot for each in history}),
    )


def decided(entry: Entry) -> Decided:
    """Return a check as the journal keeps it."""
    told = entry.payload
    return Decided(
        time=entry.time,
        number=told["number"],
        action=Action(told["action"]),
        staleness=_staleness(told),
        reason=told["reason"],
        run_id=told["run_id"],
    )


def _staleness(told: dict[str, object]) -> Staleness | None:
    """Return what was measured; where both sides are one snapshot nothing can be stale."""
    share, low, high = (told.get(f"staleness{end}") for end in ("", "_low", "_high"))
    if not told["signals"]:
        return Staleness(0.0, 0.0, 0.0) if told["reference"] == told["current"] else None
    if not isinstance(share, float):
        return None
    ends = (end if isinstance(end, float) else None for end in (low, high))
    return Staleness(share, *ends)


def _since(history: Sequence[Published]) -> datetime | None:
    """Return when the release that answers began to."""
    return _first_of_the_last(history, [each.release.id for each in history])


def _taken(history: Sequence[Published]) -> datetime | None:
    """Return when the content that answers was first published, of its latest stay."""
    return _first_of_the_last(history, [each.release.content_digest for each in history])


def _first_of_the_last(history: Sequence[Published], same: Sequence[str]) -> datetime | None:
    at = len(history) - 1
    while at > 0 and same[at - 1] == same[-1]:
        at -= 1
    return history[at].time if history else None


def _read(refreshed: Entry | None, checks: Sequence[Decided]) -> datetime | None:
    """Return the newest look that got as far as a plan; a refresh by hand may leave no trace."""
    times = [entry.time for entry in (refreshed, *checks[-1:]) if entry is not None]
    return max(times, default=None)


def _old_text(journal: Journal, kb: str) -> tuple[OldText, ...]:
    entry = journal.last(kb, "stale")
    reasons = Counter((entry.payload["documents"] if entry else {}).values())
    return tuple(OldText(reason, count) for reason, count in reasons.most_common())


def _stopped(journal: Journal, kb: str) -> Stopped | None:
    """Return the guard that nothing got past since, None if the last look was let through."""
    guard = journal.last(kb, "guard")
    if guard is None:
        return None
    passed = (journal.last(kb, kind) for kind in ("check", "release"))
    if any(entry is not None and entry.sequence > guard.sequence for entry in passed):
        return None
    return Stopped(guard.time, guard.payload["code"], guard.payload["reason"])


def _held(journal: Journal, name: str, now: datetime) -> Held | None:
    """Return who holds a lease, as the lease's own rules see it: a clock that was set is not asked.

    On this host the process and the seconds since the boot say it, and no clock on a wall.
    """
    row = journal.lease(name)
    life = lease.life_of(row, wall=now.timestamp(), ticks=time.monotonic())
    holder = read_holder(row.holder) if row is not None else None
    if row is None or holder is None or life is lease.Life.NOBODY:
        return None
    since, heard = (datetime.fromtimestamp(at, UTC) for at in (holder.started, row.renewed))
    return Held(since, holder.host, holder.pid, heard, certain=life is lease.Life.HELD)


def _waiting(
    journal: Journal,
    kb: str,
    published: Published | None,
    checks: Sequence[Decided],
    promotion: PromotionMode,
) -> Waiting | None:
    """Return what waits for a person: a challenger that is better, else a retraining."""
    verdict = journal.last(kb, "verdict")
    if verdict is not None and promotion is PromotionMode.APPROVE and verdict.payload["promote"]:
        version = int(verdict.payload["version"])
        answering = published.release.model_version if published else None
        passed_over = verdict.payload["champion_version"] != answering
        if version != answering and not passed_over and withdrawn(journal, kb, version) is None:
            what = f"version {version} is better and waits to be promoted"
            return Waiting(what, verdict.time, f"driftline promote {kb} --version {version}")
    asked = journal.last(kb, "check")
    if asked is None or not asked.payload.get("needs_approval"):
        return None
    if verdict is not None and verdict.sequence > asked.sequence:
        return None
    return Waiting("a retraining waits to be begun", checks[-1].time, f"driftline retrain {kb}")
