"""Decide what drift asks for. Pure: a report, a policy and what happened before, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitors.records import Action, Decision, DriftReport, Signal
from monitors.wording import describe

LEADING = "unseen_shingles"


class Mode(StrEnum):
    """How far Driftline may go by itself."""

    OFF = "off"
    ADVISE = "advise"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on each signal counts as drifted. All are shares, 0..1, inclusive.

    The first is the level at which a corpus is 5-8 % stale; the others are where the same pairs
    of versions stand at that level (docs/drift.md has the table).
    """

    unseen_shingles: float = 0.15
    changed_chunks: float = 0.20
    removed_chunks: float = 0.10
    novelty: float = 0.05


@dataclass(frozen=True, slots=True)
class RetrainPolicy:
    """The numbers that decide. Levels are shares of unseen shingles, 0..1, inclusive.

    Patch releases that were measured stay at or under 0.003, far below watch; at 0.15 a corpus is
    5-8 % stale (docs/drift.md). One other signal must agree, so that no single measurement spends
    money. Under eight chunks a share means little: one edited chunk is over every level.
    """

    mode: Mode = Mode.AUTO
    watch: float = 0.05
    retrain: float = 0.15
    agreeing: int = 1
    minimum_chunks: int = 8
    cooldown: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class History:
    """What happened before: the last retraining, and whether this very text was tried already.

    `tried` is the reason why a challenger trained on the same text was not promoted.
    """

    last_retrained_at: datetime | None = None
    tried: str | None = None


def decide(
    report: DriftReport, policy: RetrainPolicy, history: History, *, now: datetime
) -> Decision:
    """Decide and say why, naming the documents behind it.

    Not enough data, or a signal that could not be measured, is never "no drift": it is said.
    """
    leading = report.signal(LEADING)
    if leading is None or leading.score is None:
        return Decision(Action.BLOCKED, f"{LEADING} could not be measured, so nothing is decided")
    if report.current_chunks < policy.minimum_chunks:
        return Decision(Action.NONE, _too_small(report, policy))
    if leading.score < policy.watch:
        return Decision(Action.NONE, _calm(leading.score, policy))
    carriers = describe(report.documents)
    if leading.score < policy.retrain:
        level = f"{_relation(leading.score, policy.watch)}, under {policy.retrain:.2f}"
        return Decision(Action.WATCH, f"unseen text {leading.score:.3f} is {level}: {carriers}")
    return _weigh(report, policy, leading.score, carriers, _held_back(policy, history, now))


def _weigh(
    report: DriftReport, policy: RetrainPolicy, score: float, carriers: str, held_back: str
) -> Decision:
    """Decide at or over the retrain level: the other signals must agree, and nothing hold back."""
    over = f"unseen text {score:.3f} is {_relation(score, policy.retrain)}"
    others = [signal for signal in report.signals if signal.name != LEADING]
    agreeing = [signal for signal in others if signal.drifted]
    if len(agreeing) < policy.agreeing:
        reason = f"{over}, but too few other signals agree ({_scores(others)}): {carriers}"
        return Decision(Action.WATCH, reason)
    with_them = f", with {_scores(agreeing)}" if agreeing else ""
    if held_back:
        return Decision(Action.WATCH, f"{over}{with_them}: {carriers}; {held_back}")
    return Decision(Action.RETRAIN, f"{over}{with_them}: {carriers}")


def _held_back(policy: RetrainPolicy, history: History, now: datetime) -> str:
    """Say what keeps a justified retraining from being asked for; "" if nothing does."""
    if policy.mode is not Mode.AUTO:
        return f"not asked for, because the mode is {policy.mode.value!r}"
    if history.tried is not None:
        return f"not asked for again, because this text was tried: {history.tried}"
    if history.last_retrained_at is not None:
        ready = history.last_retrained_at + policy.cooldown
        if now < ready:
            return f"not asked for before {ready:%Y-%m-%d %H:%M} UTC, when the cooldown ends"
    return ""


def _relation(score: float, limit: float) -> str:
    return f"over {limit:.2f}" if score > limit else f"at the limit of {limit:.2f}"


def _too_small(report: DriftReport, policy: RetrainPolicy) -> str:
    return (
        f"not enough text to judge: {report.current_chunks} chunks, "
        f"{policy.minimum_chunks} are needed"
    )


def _calm(score: float, policy: RetrainPolicy) -> str:
    if score == 0:
        return "nothing is said now that the reference did not say"
    return f"unseen text {score:.3f} is under {policy.watch:.2f}: the refreshed index is enough"


def _scores(signals: Iterable[Signal]) -> str:
    return ", ".join(
        f"{signal.name.replace('_', ' ')} "
        + ("not measured" if signal.score is None else f"{signal.score:.2f}")
        for signal in signals
    )
