"""A training in a process that was forked from a prepared one, and is killed where it was told."""

import multiprocessing
from multiprocessing.context import ForkServerContext
from pathlib import Path

from training import failpoints
from training.fitting.finetune import finetune
from training.records import BaseModel, FinetuneConfig, TrainingSet


def prepared() -> ForkServerContext:
    """Return a context whose processes have torch imported, and no thread of it started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


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
    failpoints.arm(failpoint, times=times)
    finetune(base, examples, config, folder)
