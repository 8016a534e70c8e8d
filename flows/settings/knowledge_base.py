"""Tables of the settings file about one knowledge base: its sources, limits and policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from flows.settings.policy import Cost, Policy, Questions, Surprise
from flows.settings.schedule import KbSchedule
from flows.settings.source import AnySource, Table
from flows.settings.training import Promotion, Share, Training
from monitors.decision.policy import RetrainPolicy, Thresholds
from retrieval.guards import RefreshLimits
from training.judging.promotion import PromotionPolicy
from training.records import FinetuneConfig

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

_LIMITS = RefreshLimits()


class Limits(Table):
    """When a refresh is stopped before it writes anything."""

    removals_floor: int = Field(_LIMITS.removals_floor, ge=0)
    removals_share: Share = _LIMITS.removals_share
    removals_ceiling_share: Share = _LIMITS.removals_ceiling_share
    refused_floor: int = Field(_LIMITS.refused_floor, ge=1)
    refused_share: Share = _LIMITS.refused_share
    collapsed_floor: int = Field(_LIMITS.collapsed_floor, ge=2)
    collapsed_share: Share = _LIMITS.collapsed_share
    grace_hours: float = Field(0.0, ge=0, allow_inf_nan=False)


class Keep(Table):
    """Which earlier releases stay answerable: those of the last days, and the newest few."""

    days: float = Field(7.0, ge=1, allow_inf_nan=False)
    releases: int = Field(5, ge=1)


class Kb(Table):
    """One knowledge base: its source, or several by name, and the numbers that decide for it."""

    source: AnySource | None = None
    sources: dict[Name, AnySource] = Field(default_factory=dict)
    chunk_tokens: int | None = Field(None, ge=32)
    limits: Limits = Limits()
    keep: Keep = Keep()
    policy: Policy = Policy()
    cost: Cost = Cost()
    questions: Questions | None = None
    surprise: Surprise = Surprise()
    schedule: KbSchedule = KbSchedule()
    training: Training = Training()
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _has_sources(self) -> Self:
        if (self.source is None) == (not self.sources):
            msg = "give either one [source], or several as [sources.NAME]"
            raise ValueError(msg)
        return self

    def named_sources(self) -> dict[str, AnySource]:
        """Return the sources by name; an only one has an empty name."""
        return dict(self.sources) if self.source is None else {"": self.source}

    def refresh_limits(self) -> RefreshLimits:
        """Return the guards of a refresh."""
        return RefreshLimits(**self.limits.model_dump(exclude={"grace_hours"}))

    @property
    def grace(self) -> timedelta:
        """How long a document must be gone before it is removed."""
        return timedelta(hours=self.limits.grace_hours)

    def retrain_policy(self) -> RetrainPolicy:
        """Return the policy that decides."""
        return self.policy.record()

    def thresholds(self) -> Thresholds:
        """Return from which score on each signal counts as drifted."""
        return self.policy.thresholds()

    def finetune_config(self, *, first: bool = True) -> FinetuneConfig:
        """Return the numbers of a training run; `first` if it begins with a fresh adapter."""
        return self.training.config(first=first)

    def promotion_policy(self) -> PromotionPolicy:
        """Return the margins that a challenger must keep."""
        return self.promotion.policy()
