"""Tables of the settings file: when to retrain, what an hour of it costs, what is asked."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from flows.settings.source import Table
from monitors.decision.policy import Mode, RetrainPolicy, Thresholds
from monitors.decision.quiet_hours import QuietHours, zone_named

# At 0 every check would retrain, and tell of nothing.
Level = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

_POLICY, _THRESHOLDS = RetrainPolicy(), Thresholds()
# Longer is meant as `mode = "advise"`.
_YEAR_HOURS = 366 * 24


class Policy(Table):
    """When drift asks for a retraining. Levels are staleness, a share of questions."""

    mode: Mode = _POLICY.mode
    budget: Level = _POLICY.budget
    watch: Level | None = _POLICY.watch
    retrain: Level | None = _POLICY.retrain
    hysteresis: float = Field(_POLICY.hysteresis, ge=0, lt=1, allow_inf_nan=False)
    agreeing: int = Field(_POLICY.agreeing, ge=0, le=len(fields(Thresholds)) - 1)
    minimum_chunks: int = Field(_POLICY.minimum_chunks, ge=1)
    cooldown_hours: float = Field(0.0, ge=0, le=_YEAR_HOURS, allow_inf_nan=False)
    cooldown_checks: int = Field(_POLICY.cooldown_checks, ge=0)
    retrains_per_month: int = Field(_POLICY.retrains_per_month, ge=1)
    quiet_hours: str | None = None
    time_zone: str = "UTC"
    unseen_shingles: Level = _THRESHOLDS.unseen_shingles
    changed_chunks: Level = _THRESHOLDS.changed_chunks
    removed_chunks: Level = _THRESHOLDS.removed_chunks
    novelty: Level = _THRESHOLDS.novelty
    vocabulary: Level = _THRESHOLDS.vocabulary
    topic_mix: Level = _THRESHOLDS.topic_mix
    factual_edits: Level = _THRESHOLDS.factual_edits
    probed_staleness: Level = _THRESHOLDS.probed_staleness
    surprise: float = Field(_THRESHOLDS.surprise, gt=0, allow_inf_nan=False)

    @field_validator("quiet_hours")
    @classmethod
    def _reads_as_hours(cls, hours: str | None) -> str | None:
        if hours is not None:
            QuietHours.parse(hours)
        return hours

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        return zone_named(zone).key

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        levels = RetrainPolicy(budget=self.budget, watch=self.watch, retrain=self.retrain)
        watch, retrain = levels.watch_level, levels.retrain_level
        if watch > retrain:
            msg = f"watch ({watch}) must not be over retrain ({retrain})"
            raise ValueError(msg)
        if "budget" in self.model_fields_set and retrain > self.budget:
            msg = f"retrain ({retrain}) must not be over budget ({self.budget})"
            raise ValueError(msg)
        if "time_zone" in self.model_fields_set and self.quiet_hours is None:
            msg = "time_zone would do nothing without quiet_hours"
            raise ValueError(msg)
        return self

    def record(self) -> RetrainPolicy:
        """Return the policy that decides."""
        hours, zone = self.quiet_hours, self.time_zone
        own = {field.name for field in fields(RetrainPolicy)} - {"cooldown", "quiet_hours"}
        return RetrainPolicy(
            **self.model_dump(include=own),
            cooldown=timedelta(hours=self.cooldown_hours),
            quiet_hours=None if hours is None else QuietHours.parse(hours, zone),
        )

    def thresholds(self) -> Thresholds:
        """Return the level of each signal."""
        return Thresholds(**self.model_dump(include={field.name for field in fields(Thresholds)}))


class Cost(Table):
    """What an hour of the machine that retrains costs, for the figure beside each decision."""

    per_hour: float | None = Field(None, ge=0, allow_inf_nan=False)
    currency: str = Field("EUR", pattern=r"^[A-Za-z]{1,12}$")


class Questions(Table):
    """Where the assistant writes what it is asked: JSON lines with a text and an ISO 8601 time."""

    file: Path
    text: str = Field("question", min_length=1)
    time: str = Field("time", min_length=1)


class Surprise(Table):
    """On how many passages a side the champion is weighed where drift is told; 0 for none."""

    passages: int = Field(32, ge=0, le=1_000)
