"""A training in a process that was forked from a prepared one, and is killed where it was told."""

from pathlib import Path

from training.failpoints import arm
from training.fitting.finetune import finetune
from training.records import BaseModel, FinetuneConfig, TrainingSet


def train_until(
    failpoint: str,
    times: int,
    *,
    base: BaseModel,
    examples: TrainingSet,
    config: FinetuneConfig,
    folder: Path,
) -> None:
    """Train, and be killed at the failpoint."""
    arm(f"{failpoint}:{times}")
    finetune(base, examples, config, folder)
