"""Decide what drift asks for. Pure: a report, a policy and what happened before, nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitors.decision import cost as costs
from monitors.decision import holds, reasons
from monitors.decision.quiet_hours import QuietHours
from monitors.decision.triage import advice
from monitors.records import Action, Cost, Decision, DriftReport, Signal
from monitors.wording import describe, printable

# What staleness is read from; without it nothing is known of the drift.
LEADING = "unseen_shingles"

# At 5-8 % users notice; replayed over three projects' releases, 0.055 beats a calendar of as many
# retrainings in mean and in worst staleness, 0.0675 to 0.08 in the worst alone (docs/drift.md).
RETRAIN = 0.055
# Patch releases are estimated at 0 and the weakest of 13 major ones at 0.018; an estimate under
# 0.005 is 0. Between, on the scale of their ratio.
WATCH = 0.011


class Mode(StrEnum):
    """How far Driftline may go by itself: measure, tell, ask a person, or act."""

    OFF = "off"
    ADVISE = "advise"
    APPROVE = "approve"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on each signal counts as drifted, inclusive. Shares, 0..1, unless said.

    Where nine of ten pairs of releases stand that are estimated to be 4.5-6.5 % stale (14 of 182
    pairs; docs/drift.md has the table), so that a signal agrees where the level is reached.
    """

    unseen_shingles: float = 0.10
    changed_chunks: float = 0.20
    removed_chunks: float = 0.10
    # By MiniLM's vectors, at five to eight percent staleness (docs/drift.md).
    novelty: float = 0.05
    # Bits of Jensen-Shannon divergence, 0..1.
    vocabulary: float = 0.004
    # Bits likewise; not fitted, for no label was measured beside vectors: rather too high.
    topic_mix: float = 0.05
    # Count of facts over count of chunks. Half of those pairs: how often facts change in place
    # depends on what a corpus is, and is told in any case.
    factual_edits: float = 0.03
    # The staleness that probes measure is the same share as the estimated one.
    probed_staleness: float = RETRAIN
    # Relative bits per byte; adapters that differ only in their seed differ by 0.1-0.5 %.
    surprise: float = 0.005


@dataclass(frozen=True, slots=True)
class RetrainPolicy:
    """The numbers that decide. Levels are staleness, a share of questions, 0..1, inclusive.

    `budget` is the one knob for who wants no more: the staleness from which a retraining is worth
    its cost. `retrain` is the budget unless it is given, `watch` a fifth of `retrain`.
    """

    mode: Mode = Mode.AUTO
    budget: float = RETRAIN
    watch: float | None = None
    retrain: float | None = None
    # A fifth of the level: the noise of a measurement that is repeated on nearly the same text is
    # far under the 0.055 by which the estimate misses the truth, and 0.2 x 0.055 is 0.011.
    hysteresis: float = 0.2
    # So that no single measurement spends money.
    agreeing: int = 1
    # Under eight chunks a share means little: one edited chunk is over every level.
    minimum_chunks: int = 8
    # Measured from the champion, 2-10 retrainings came in years (docs/drift.md): no pause is
    # needed until a training costs more than it buys.
    cooldown: timedelta = timedelta(0)
    # Checks that must lie between two retrainings, whatever the clock says.
    cooldown_checks: int = 0
    # In thirty days as many as the measured projects needed in years: a fault, not knowledge.
    retrains_per_month: int = 8
    quiet_hours: QuietHours | None = None

    @property
    def retrain_level(self) -> float:
        """The staleness from which a retraining is asked for."""
        return self.budget if self.retrain is None else self.retrain

    @property
    def watch_level(self) -> float:
        """The staleness from which people are told."""
        return self.retrain_level * (WATCH / RETRAIN) if self.watch is None else self.watch


@dataclass(frozen=True, slots=True)
class History:
    """What happened before: every retraining, the last decision, and what was tried already.

    `retrained_at` is in any order. `tried` is the reason why a challenger trained on the same text
    was not promoted. `last_action` is the last check's against the same reference, `checks_since`
    how many checks lie between the last retraining and this one; both None where there was none.
    """

    retrained_at: tuple[datetime, ...] = ()
    tried: str | None = None
    last_action: Action | None = None
    checks_since: int | None = None


def decide(
    report: DriftReport,
    policy: RetrainPolicy,
    history: History,
    *,
    now: datetime,
    cost: Cost | None = None,
) -> Decision:
    """Decide and say why: what moved, which memory has to follow, and what that would cost.

    Not enough data, or a signal that could not be measured, is never "no drift": it is said.
    """
    if impossible := _impossible(report):
        return undecidable(impossible, cost=cost)
    if report.reference == report.current:
        same = f"both sides are {printable(report.current)}, so nothing can be stale"
        return Decision(Action.NONE, same, cost)
    action, verdict = _verdict(report, policy, history, now)
    if policy.mode is Mode.OFF and action is not Action.NONE:
        action, verdict = (
            Action.NONE,
            f"{verdict}; nobody is told or asked, because the mode is 'off'",
        )
    reason = reasons.sentences(verdict, *_notes(report, policy, action, cost))
    waits = action is Action.RETRAIN and policy.mode is Mode.APPROVE
    return Decision(action, reason, cost, needs_approval=waits)


def undecidable(reason: str, *, cost: Cost | None = None) -> Decision:
    """Return the decision where there is nothing to decide on: it is told, and nothing is done.

    >>> undecidable("docs@1 is no longer there to compare with").action
    <Action.BLOCKED: 'blocked'>
    """
    return Decision(Action.BLOCKED, reason, cost)


def _impossible(report: DriftReport) -> str:
    """Say why nothing can be decided; "" if it can."""
    for name, chunks in (
        (report.current, report.current_chunks),
        (report.reference, report.reference_chunks),
    ):
        if chunks == 0:
            return f"{printable(name)} holds no text, so there is nothing to compare"
    leading = report.signal(LEADING)
    if leading is None or not reasons.measured(leading) or not math.isfinite(report.staleness):
        return f"{LEADING} could not be measured, so nothing is decided"
    return ""


def _verdict(
    report: DriftReport, policy: RetrainPolicy, history: History, now: datetime
) -> tuple[Action, str]:
    if report.current_chunks < policy.minimum_chunks:
        return Action.NONE, reasons.too_small(report.current_chunks, policy.minimum_chunks)
    watch, retrain = _levels(policy, history)
    stale = report.staleness
    if stale < watch:
        return _under_watch(report, policy)
    carriers = describe(report.documents)
    if stale < retrain:
        if stale < policy.watch_level:
            held = reasons.not_yet(stale, policy.watch_level, watch)
            return Action.WATCH, f"still watched: {held}: {carriers}"
        over = reasons.relation(stale, policy.watch_level)
        return (
            Action.WATCH,
            f"staleness {over}, under {reasons.figure(policy.retrain_level)}: {carriers}",
        )
    over = f"staleness {reasons.relation(stale, policy.retrain_level)}"
    if stale < policy.retrain_level:
        over = f"still asked for: {reasons.not_yet(stale, policy.retrain_level, retrain)}"
    return _weigh(report, policy, over, carriers, _held_back(policy, history, now))


def _levels(policy: RetrainPolicy, history: History) -> tuple[float, float]:
    """Return the levels of watch and retrain that hold now: lower for a state to be left.

    A request that waits for a person is not taken back by noise. Nothing is spent under its level.
    """
    stays = 1 - policy.hysteresis
    watched = history.last_action in {Action.WATCH, Action.RETRAIN}
    waiting = history.last_action is Action.RETRAIN and policy.mode is Mode.APPROVE
    return (
        policy.watch_level * (stays if watched else 1),
        policy.retrain_level * (stays if waiting else 1),
    )


def _under_watch(report: DriftReport, policy: RetrainPolicy) -> tuple[Action, str]:
    """Decide under the watch level: a new topic is told all the same."""
    drifted = [signal for signal in _others(report) if _agrees(signal)]
    though = f", though {reasons.scores(drifted)} drifted" if drifted else ""
    leading = report.signal(LEADING)
    if leading is None or leading.score != 0:
        over = reasons.relation(report.staleness, policy.watch_level)
        calm = f"staleness {over}: left to the refreshed index"
    elif report.housekeeping and not drifted:
        calm = "nothing but housekeeping"
    else:
        calm = "nothing is said now that the reference did not say"
    return (Action.WATCH if _is_new(report) else Action.NONE), calm + though


def _weigh(
    report: DriftReport, policy: RetrainPolicy, over: str, carriers: str, held_back: str
) -> tuple[Action, str]:
    """Decide at or over the retrain level: the other signals must agree, and nothing hold back."""
    others = _others(report)
    agreeing = [signal for signal in others if _agrees(signal)]
    if len(agreeing) < policy.agreeing:
        found = reasons.scores(filter(reasons.measured, others)) or "none was measured"
        return Action.WATCH, f"{over}, but too few other signals agree ({found}): {carriers}"
    with_them = f", with {reasons.scores(agreeing)}" if agreeing else ""
    if held_back:
        return Action.WATCH, f"{over}{with_them}: {carriers}; {held_back}"
    return Action.RETRAIN, f"{over}{with_them}: {carriers}"


def _held_back(policy: RetrainPolicy, history: History, now: datetime) -> str:
    """Say all that keeps a justified retraining from being asked for; "" if nothing does."""
    if policy.mode is Mode.ADVISE:
        return "said and not asked for, because the mode is 'advise'"
    if history.tried is not None:
        return f"not asked for again, because this text was tried: {history.tried}"
    waiting = (
        holds.cooling(
            history.retrained_at,
            checks_since=history.checks_since or 0,
            cooldown=policy.cooldown,
            cooldown_checks=policy.cooldown_checks,
            now=now,
        ),
        holds.spent(history.retrained_at, most=policy.retrains_per_month, now=now),
        holds.quiet(policy.quiet_hours, now=now),
    )
    told = [hold for hold in waiting if hold]
    return f"not asked for {', and not '.join(told)}" if told else ""


def _notes(
    report: DriftReport, policy: RetrainPolicy, action: Action, cost: Cost | None
) -> list[str]:
    """Return what stands beside the verdict; what would be done about it only where it is told."""
    told = action is not Action.NONE
    stale = action is Action.RETRAIN or report.staleness >= policy.retrain_level
    notes = [reasons.topic(report.topic)] if report.topic and _is_new(report) else []
    if told or report.triage is not None:
        notes.append(advice(report.triage, report.reference, stale=stale))
    notes += [reasons.facts(report), reasons.housekeeping(report), reasons.unmeasured(report)]
    if told:
        notes.append(costs.describe(cost, report.staleness))
    if action is Action.RETRAIN and policy.mode is Mode.APPROVE:
        kb = report.current.rpartition("@")[0]
        notes.append(f"it waits for approval: `driftline retrain {printable(kb)}`")
    return notes


def _is_new(report: DriftReport) -> bool:
    """Tell whether the incoming documents hold a topic that the reference lacks."""
    found = report.topic
    return found is not None and found.p_value is not None and found.p_value <= found.level


def _others(report: DriftReport) -> list[Signal]:
    return [signal for signal in report.signals if signal.name != LEADING]


def _agrees(signal: Signal) -> bool:
    return signal.drifted and reasons.measured(signal)
