"""The nouns of a run: what a refresh, a check and a retraining came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.release import Published
from monitors.records import Decision, DriftReport, Takeover
from retrieval.records import Refreshed, RefreshPlan
from training.records import Adapter
from training.weighing import Evaluation, Scores, Verdict


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """What a refresh planned, did, and published; `is_new` if a release was published by it."""

    plan: RefreshPlan
    refreshed: Refreshed
    published: Published
    is_new: bool


@dataclass(frozen=True, slots=True)
class Check:
    """What one check saw and decided. `page` is its report, None where nothing moved since.

    `takeovers` are documents that came since the last check, and took answers from others.
    """

    number: int
    refresh: RefreshOutcome
    report: DriftReport
    decision: Decision
    page: Path | None
    takeovers: tuple[Takeover, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A retraining that a check asks for, of the champion of that version.

    `key` is the same for the same text, champion and configuration.
    """

    kb: str
    snapshot: str
    reason: str
    requested_by: str
    key: str
    champion: int = 0


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One part of what a retraining would train on: rows of one kind, and about their tokens."""

    kind: str
    rows: int
    tokens: int


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a retraining would do and cost, before it does it.

    Seconds are of this machine, from its measured speed; `tokens` counts every pass over the rows.
    `judged` is the version that this very training made before, None if it is new.
    """

    reference: str
    current: str
    champion_version: int
    start: str
    parts: tuple[PartPlan, ...]
    documents: int
    held_out: int
    tokens: int
    steps: int
    train_seconds: float
    weigh_seconds: float
    money: float | None
    currency: str
    data_digest: str
    judged: int | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """A challenger with all that was found out about it."""

    adapter: Adapter
    champion: Scores
    challenger: Scores
    evaluation: Evaluation
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class RetrainOutcome:
    """What a retraining came to; `published` is the new release if it was promoted.

    `is_new` is False if this very training had been judged before and nothing was trained.
    `waiting` is the digest of the evidence that a person has to approve, "" if nothing waits.
    """

    version: int
    verdict: Verdict
    published: Published | None
    is_new: bool
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class MonitorOutcome:
    """A check and what it led to: a retraining in this process, or one asked for elsewhere."""

    check: Check
    run_id: str
    retraining: RetrainOutcome | None
    requested: str | None
