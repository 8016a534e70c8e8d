"""Replay a policy over the past of a corpus, beside its yardsticks, and propose a level. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from monitors.decision.policy import LEADING, History, Mode, RetrainPolicy, Thresholds, decide
from monitors.records import Action, DriftReport, Signal
from monitors.replaying import yardsticks
from monitors.replaying.past import Past, Retraining, Schedule, Version, score
from monitors.wording import percent

# From where nothing is worth a training to where most of a corpus is stale, in half percents.
LEVELS = tuple(round(level, 3) for level in np.arange(0.01, 0.5, 0.005).tolist())

# The window of the policy's cap on retrainings.
_MONTH = timedelta(days=30)
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class TradeOff:
    """What the policy would have come to with another retrain level."""

    level: float
    retrainings: int
    mean: float
    worst: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A retrain level that keeps the worst staleness in a budget, None if none does, and why."""

    budget: float
    level: float | None
    retrainings: int
    reason: str


@dataclass(frozen=True, slots=True)
class Replay:
    """The policy first, then its yardsticks; none at all where there is no past, says `reason`."""

    versions: tuple[Version, ...]
    level: float
    schedules: tuple[Schedule, ...]
    calendars: yardsticks.Calendars | None
    tradeoff: tuple[TradeOff, ...]
    proposal: Proposal | None
    reason: str

    @property
    def beats_the_calendar(self) -> bool | None:
        """True if mean and worst are both less than calendars' of equal cost; None without one."""
        if self.calendars is None:
            return None
        policy, calendars = self.schedules[0], self.calendars
        return policy.mean < calendars.mean and policy.worst < calendars.worst


def replay(
    past: Past, policy: RetrainPolicy, thresholds: Thresholds, *, budget: float | None = None
) -> Replay:
    """Replay the policy as if it may act by itself; the budget is its retrain level by default."""
    level = policy.retrain_level
    if len(past) < _FEWEST:
        count = "is one version" if len(past) else "is no version"
        reason = f"there {count}, and a replay needs two"
        return Replay(past.versions, level, (), None, (), None, reason)
    acting = follow(past, policy, thresholds)
    found = yardsticks.calendars(past, acting)
    schedules = (
        acting,
        *([found.typical] if found else []),
        yardsticks.fixed(past, level),
        yardsticks.step_to_step(past, level),
        yardsticks.least_mean(past, acting.retrainings),
        yardsticks.least_worst(past, acting.retrainings),
    )
    curve = trade_off(past, policy, thresholds)
    proposal = propose(curve, level if budget is None else budget)
    reason = _verdict(acting, found)
    return Replay(past.versions, level, schedules, found, curve, proposal, reason)


def follow(past: Past, policy: RetrainPolicy, thresholds: Thresholds) -> Schedule:
    """Return what the policy does, a check at each version.

    A retraining that a brake holds back is made when the brake lets go, unless the next version
    comes before. Who has to approve does so at once.
    """
    walk = _Walk(past, replace(policy, mode=Mode.AUTO), thresholds)
    for current in range(1, len(past)):
        walk.check(current)
    return score(past, "policy", walk.retrained)


def trade_off(past: Past, policy: RetrainPolicy, thresholds: Thresholds) -> tuple[TradeOff, ...]:
    """Return what each level would have come to, up to the first that never retrains."""
    found = []
    for level in LEVELS:
        watch = min(policy.watch_level, level)
        at_level = replace(policy, watch=watch, retrain=level)
        schedule = follow(past, at_level, thresholds)
        found.append(TradeOff(level, schedule.retrainings, schedule.mean, schedule.worst))
        if not schedule.retrainings:
            break
    return tuple(found)


def propose(curve: Sequence[TradeOff], budget: float) -> Proposal:
    """Propose the level that keeps the worst staleness in the budget with the fewest retrainings.

    Of the levels that cost as much, the one with the least mean staleness; then the highest.

    >>> curve = [TradeOff(0.02, 4, 0.01, 0.02), TradeOff(0.05, 2, 0.03, 0.06),
    ...          TradeOff(0.08, 2, 0.02, 0.07), TradeOff(0.1, 1, 0.05, 0.09)]
    >>> propose(curve, 0.08).level, propose(curve, 0.01).level
    (0.08, None)
    """
    within = [each for each in curve if each.worst <= budget]
    if not within:
        least = min(curve, key=lambda each: each.worst)
        reason = (
            f"no retrain level keeps the worst staleness within {_percent(budget)}: at "
            f"{least.level:g} it was {_percent(least.worst)}; look at what holds retrainings back"
        )
        return Proposal(budget, None, least.retrainings, reason)
    best = min(within, key=lambda each: (each.retrainings, each.mean, -each.level))
    if not best.retrainings:
        reason = (
            f"no retraining was needed for a budget of {_percent(budget)}: untrained, the worst "
            f"staleness was {_percent(best.worst)}"
        )
        return Proposal(budget, budget, 0, reason)
    reason = (
        f"for a budget of {_percent(budget)}, retrain = {best.level:g} would have kept the worst "
        f"staleness at {_percent(best.worst)} and the mean at {_percent(best.mean)}, with "
        f"{_times(best.retrainings)}"
    )
    return Proposal(budget, best.level, best.retrainings, reason)


@dataclass
class _Walk:
    """A policy on its way through the versions, with what it remembers."""

    past: Past
    policy: RetrainPolicy
    thresholds: Thresholds
    retrained: list[Retraining] = field(default_factory=list)
    last_action: Action | None = None
    checks_since: int = 0

    def check(self, current: int) -> None:
        """Decide at a version, and again whenever a brake may have let go."""
        reference = self.retrained[-1].version if self.retrained else 0
        report = _report(self.past, reference, current, self.thresholds)
        self.checks_since += 1
        action = self._decide(report, self.policy, self.past.versions[current].time)
        self.last_action = action
        if action is Action.RETRAIN:
            self._retrain(current, self.past.versions[current].time)
        elif self._decide(report, _unbraked(self.policy), self.past.end) is Action.RETRAIN:
            for time in self._moments(current):
                if self._decide(report, self.policy, time) is Action.RETRAIN:
                    self._retrain(current, time)
                    break

    def _retrain(self, current: int, time: datetime) -> None:
        self.retrained.append(Retraining(current, time))
        self.last_action, self.checks_since = None, 0

    def _decide(self, report: DriftReport, policy: RetrainPolicy, now: datetime) -> Action:
        history = History(
            retrained_at=tuple(retraining.time for retraining in self.retrained),
            last_action=self.last_action,
            checks_since=self.checks_since if self.retrained else None,
        )
        return decide(report, policy, history, now=now).action

    def _moments(self, current: int) -> Iterator[datetime]:
        """Yield when a brake may let go while this version stands, in order."""
        versions = self.past.versions
        begin = versions[current].time
        stop = versions[current + 1].time if current + 1 < len(versions) else self.past.end
        times = [retraining.time for retraining in self.retrained]
        lets_go = [
            begin,
            *(at + self.policy.cooldown for at in times),
            *(at + _MONTH for at in times),
        ]
        quiet = self.policy.quiet_hours
        loud = (quiet.until(at) or at if quiet else at for at in lets_go)
        yield from sorted({at for at in loud if begin <= at < stop})


def _unbraked(policy: RetrainPolicy) -> RetrainPolicy:
    """Return the policy without what makes a justified retraining wait."""
    return replace(
        policy,
        cooldown=timedelta(0),
        cooldown_checks=0,
        retrains_per_month=sys.maxsize,
        quiet_hours=None,
    )


def _report(past: Past, reference: int, current: int, thresholds: Thresholds) -> DriftReport:
    """Return the least that a decision reads: the signals that a sketch can tell."""
    scores = (
        (LEADING, past.unseen, thresholds.unseen_shingles),
        ("changed_chunks", past.changed, thresholds.changed_chunks),
        ("removed_chunks", past.removed, thresholds.removed_chunks),
    )
    old, new = past.versions[reference], past.versions[current]
    signals = []
    for name, shares, threshold in scores:
        share = float(shares[reference, current])
        signals.append(Signal(name, share, threshold, drifted=share >= threshold, reason=""))
    return DriftReport(
        # Two versions may have one name; they are two all the same.
        reference=f"{reference} {old.name}",
        current=f"{current} {new.name}",
        staleness=float(past.staleness[reference, current]),
        signals=tuple(signals),
        documents=(),
        reference_chunks=old.chunks,
        current_chunks=new.chunks,
    )


def _verdict(policy: Schedule, found: yardsticks.Calendars | None) -> str:
    had = f"mean staleness {_percent(policy.mean)}, worst {_percent(policy.worst)}"
    if found is None:
        return f"the policy would not have retrained: {had}"
    return (
        f"the policy would have retrained {_often(policy.retrainings)}: {had}; calendars of equal "
        f"cost have {_percent(found.mean)} and {_percent(found.worst)} on average, and it beats "
        f"{percent(found.beaten)} of them in both"
    )


def _percent(share: float) -> str:
    """Write a share with the digits that tell two schedules apart."""
    return f"{share * 100:.1f} %"


def _times(retrainings: int) -> str:
    return f"{retrainings} retraining{'' if retrainings == 1 else 's'}"


def _often(retrainings: int) -> str:
    return "once" if retrainings == 1 else f"{retrainings} times"
