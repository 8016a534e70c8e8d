"""Tables of the settings file: what a training may cost, how it is done, when it is promoted."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from flows.settings.source import Table
from training.judging.promotion import PromotionPolicy
from training.records import FIRST, LATER, FinetuneConfig, Start

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

_CONFIG, _POLICY = FinetuneConfig(), PromotionPolicy()
_SHARES = ("difference_share", "replay_share", "answer_share", "correction_share")


class Training(Table):
    """One training run: what it may cost, what its tokens are spent on, the adapter's numbers.

    A budget is in tokens, or in minutes of this machine, which are turned into tokens by its
    measured speed. `chat` names a file of the user's own conversations, `accelerate` a file that
    `accelerate config` wrote.
    """

    budget_tokens: int = Field(_CONFIG.budget_tokens, ge=500)
    budget_minutes: float | None = Field(None, gt=0, le=60 * 24 * 30, allow_inf_nan=False)
    start: Start = _CONFIG.start
    rank: int = Field(_CONFIG.rank, ge=1, le=512)
    alpha: int = Field(_CONFIG.alpha, ge=1)
    dropout: Share = _CONFIG.dropout
    learning_rate: float | None = Field(None, gt=0, lt=1, allow_inf_nan=False)
    batch_rows: int = Field(_CONFIG.batch_rows, ge=1)
    micro_rows: int | None = Field(_CONFIG.micro_rows, ge=1)
    max_row_tokens: int = Field(_CONFIG.max_row_tokens, ge=32)
    epochs: int = Field(_CONFIG.epochs, ge=1)
    difference_share: Share | None = None
    replay_share: Share | None = None
    answer_share: Share | None = None
    correction_share: Share | None = None
    refusal_share: Share | None = None
    chat: Path | None = None
    chat_share: Share = 0.1
    packing: bool | None = _CONFIG.packing
    gradient_checkpointing: bool | None = _CONFIG.gradient_checkpointing
    four_bit: bool = _CONFIG.four_bit
    accelerate: Path | None = None
    checkpoint_share: float = Field(_CONFIG.checkpoint_share, gt=0, le=1, allow_inf_nan=False)
    candidates: int = Field(_CONFIG.candidates, ge=1, le=5)
    samples: int = Field(_CONFIG.samples, ge=0, le=20)
    holdout_text_rows: int = Field(_CONFIG.holdout_text_rows, ge=1)
    holdout_answer_rows: int = Field(_CONFIG.holdout_answer_rows, ge=1)
    holdout_cloze_rows: int = Field(_CONFIG.holdout_cloze_rows, ge=0)
    holdout_general_rows: int = Field(_CONFIG.holdout_general_rows, ge=0)
    seed: int = _CONFIG.seed

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        given = self.model_fields_set
        self._require_whole_shares()
        if self.budget_minutes is not None and "budget_tokens" in given:
            msg = "give the budget in tokens or in minutes, not in both"
            raise ValueError(msg)
        if "chat_share" in given and self.chat is None:
            msg = "chat_share would do nothing without chat"
            raise ValueError(msg)
        return self

    def _require_whole_shares(self) -> None:
        """Raise ValueError unless all four shares are given, or none, and add up to at most 1."""
        shares = [share for name in _SHARES if (share := getattr(self, name)) is not None]
        total = math.fsum(shares)
        if shares and (len(shares) < len(_SHARES) or not 0 < total <= 1 + 1e-9):
            msg = (
                f"{', '.join(_SHARES)} belong together: give all four, within 1 in all; "
                f"{len(shares)} are given, and they add up to {total:.2f}"
            )
            raise ValueError(msg)

    def config(self, *, first: bool = True) -> FinetuneConfig:
        """Return the numbers of a training run, its budget in tokens.

        `first` says that it begins with a fresh adapter. What the settings give is for every run;
        else a first adapter learns to answer, and a later one, more slowly, what is new.
        """
        by_start = {*_SHARES, "learning_rate", "refusal_share"}
        own = {field.name for field in fields(FinetuneConfig)} - {*by_start, "holdout_salt"}
        chat_share = 0.0 if self.chat is None else self.chat_share
        told = FinetuneConfig(**{**self.model_dump(include=own), "chat_share": chat_share})
        given = {name: value for name in by_start if (value := getattr(self, name)) is not None}
        return replace(told.by(FIRST if first else LATER), **given)


class PromotionMode(StrEnum):
    """Who promotes a challenger that is better."""

    AUTO = "auto"  # the flow, at once
    APPROVE = "approve"  # a person, who was shown the evidence


class Promotion(Table):
    """Who promotes, and the margins that a challenger must keep."""

    mode: PromotionMode = PromotionMode.AUTO
    learning_margin: Share = _POLICY.learning_margin
    answer_margin: Share = _POLICY.answer_margin
    bits_loss: Share = _POLICY.bits_loss
    general_loss: Share = _POLICY.general_loss
    f1_loss: Share = _POLICY.f1_loss
    abstention_loss: Share = _POLICY.abstention_loss
    refusals_rise: Share = _POLICY.refusals_rise
    first_refusals_rise: Share = _POLICY.first_refusals_rise
    stale_rise: Share = _POLICY.stale_rise
    text_rows: int = Field(_POLICY.text_rows, ge=1)
    answer_rows: int = Field(_POLICY.answer_rows, ge=1)
    part_rows: int = Field(_POLICY.part_rows, ge=1)
    documents: int = Field(_POLICY.documents, ge=2)

    def policy(self) -> PromotionPolicy:
        """Return the margins that decide."""
        return PromotionPolicy(**self.model_dump(exclude={"mode"}))
