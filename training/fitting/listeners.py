"""Who hears of a training while it runs. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.records import Sample, TrainingStep

OnStep = Callable[[TrainingStep], None]
OnSample = Callable[[Sample], None]
OnNotice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listeners:
    """What to call after each step, for each sample answer, and with each sentence."""

    on_step: OnStep | None = None
    on_sample: OnSample | None = None
    on_notice: OnNotice | None = None
