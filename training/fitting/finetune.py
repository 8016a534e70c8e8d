"""A plain PyTorch loop that trains one adapter, the same weights for the same rows and seed."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch.optim import AdamW
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import is_asked
from training.errors import DivergedError
from training.examples.chunks import approximate_tokens
from training.failpoints import reach
from training.fitting.batches import StepRows, count_epochs, plan_steps
from training.fitting.checkpoints import OPTIMISER, Checkpoints, Progress, TrainingKey
from training.fitting.gradients import Gradient, Gradients
from training.fitting.listeners import Listeners, OnNotice, OnSample, OnStep
from training.fitting.optimiser_files import load_optimiser, save_optimiser
from training.fitting.samples import sample_steps, sampled_rows, take_samples
from training.fitting.team import Team
from training.models.adapter_files import read_adapter
from training.models.adapters import (
    Trainable,
    attach_adapter,
    load_weights,
    require_same_shape,
    save_adapter,
)
from training.models.loading import load_base, load_tokenizer
from training.models.quantised import load_four_bit
from training.records import (
    Adapter,
    BaseModel,
    FinetuneConfig,
    TrainingSet,
    TrainingStep,
)

# These leave the weights as they are, or only cut a step otherwise, so that whoever changes them
# goes on from the checkpoints that are there. What an adapter starts from has a digest of its own.
_NOT_IN_WEIGHTS = ("start", "micro_rows", "checkpoint_share", "candidates", "samples")
# Weights and two moments of each, in float32.
_CHECKPOINT_BYTES_A_WEIGHT = 12
_CHECKPOINT_BYTES_BESIDE = 200_000


def estimate_cost(examples: TrainingSet, config: FinetuneConfig) -> tuple[int, int]:
    """Return about how many tokens and how many optimiser steps `finetune` will take."""
    lengths = [min(approximate_tokens(row), config.max_row_tokens) for row in examples.train]
    epochs = count_epochs(sum(lengths), config)
    answers = sum(is_asked(row) for row in examples.train)
    kinds = (answers, len(examples.train) - answers)
    return epochs * sum(lengths), epochs * sum(math.ceil(n / config.batch_rows) for n in kinds)


def finetune(
    base: BaseModel,
    examples: TrainingSet,
    config: FinetuneConfig,
    folder: Path,
    *,
    start: Path | None = None,
    on_step: OnStep | None = None,
    on_sample: OnSample | None = None,
    on_notice: OnNotice | None = None,
) -> Adapter:
    """Train an adapter on the rows and return it from `folder`, which appears whole or not at all.

    It begins fresh, or with the adapter in `start`. Loss is on the text of text rows and on the
    answers of all others. The same base, rows, config, start and machine give the same adapter to
    the bit, killed and resumed or not: beside `folder` lies what to resume from, and the last
    adapters on the way as candidates (`training.fitting.checkpoints`).

    Raises DivergedError if the loss or a gradient is not a finite number, OutOfMemoryError,
    NoSpaceError, NotEnoughTextError, AdapterMismatchError if `start` does not fit, and
    FileExistsError rather than mix two trainings in one folder.
    """
    if folder.exists():
        msg = f"There is an adapter in {str(folder)!r} already. Read it, or choose another folder."
        raise FileExistsError(msg)
    begun = _require_fitting(start, base, config)
    team, tokenizer = Team(), load_tokenizer(base)
    steps = plan_steps(tokenizer, examples.train, config)
    key = TrainingKey(base.digest, examples.digest, config_digest(config), begun)
    checkpoints = Checkpoints(folder, key, kept=config.candidates)
    model = _load_trainable(base, config, team, start)
    training = _Training(
        base=base,
        examples=examples,
        config=config,
        begun=begun,
        team=team,
        tokenizer=tokenizer,
        model=model,
        checkpoints=checkpoints,
        listeners=Listeners(on_step, on_sample, on_notice) if team.speaks else Listeners(),
    )
    training.run(steps)
    return training.deliver(folder)


def config_digest(config: FinetuneConfig) -> str:
    """Return the sha256 over what in a config decides which weights come out.

    >>> config_digest(FinetuneConfig(seed=1)) == config_digest(FinetuneConfig(seed=2))
    False
    >>> config_digest(FinetuneConfig(samples=1)) == config_digest(FinetuneConfig(samples=2))
    True
    """
    told = {name: value for name, value in asdict(config).items() if name not in _NOT_IN_WEIGHTS}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _require_fitting(start: Path | None, base: BaseModel, config: FinetuneConfig) -> str:
    """Return the digest of the adapter to begin with, "" for none."""
    if start is None:
        return ""
    adapter = read_adapter(start, base=base, rank=config.rank)
    require_same_shape(start, config)
    return adapter.digest


def _load_trainable(
    base: BaseModel, config: FinetuneConfig, team: Team, start: Path | None
) -> Trainable:
    torch.manual_seed(config.seed)
    loaded = load_four_bit(base, team.device) if config.four_bit else load_base(base)
    model = attach_adapter(_saving_memory(loaded, config, team), config).train()
    if start is not None:
        load_weights(model, start)
    return model


def _saving_memory(model: PreTrainedModel, config: FinetuneConfig, team: Team) -> PreTrainedModel:
    """Return the model; on a GPU, layers are computed twice rather than kept in its memory."""
    if config.gradient_checkpointing or (config.gradient_checkpointing is None and team.on_gpu):
        model.gradient_checkpointing_enable(  # type: ignore[no-untyped-call]
            gradient_checkpointing_kwargs={"use_reentrant": False}
        )
    return model


class _Training:
    """One training under way: it steps, tells, and keeps what to resume from."""

    def __init__(
        self,
        *,
        base: BaseModel,
        examples: TrainingSet,
        config: FinetuneConfig,
        begun: str,
        team: Team,
        tokenizer: Tokenizer,
        model: Trainable,
        checkpoints: Checkpoints,
        listeners: Listeners,
    ) -> None:
        self._base, self._examples, self._config, self._begun = base, examples, config, begun
        self._team, self._tokenizer, self._model = team, tokenizer, model
        self._checkpoints, self._listeners = checkpoints, listeners
        wrapped = team.prepare(model)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        # The rate is set at every step: an optimiser's state is then all there is to resume.
        self._optimiser = AdamW(weights, lr=config.learning_rate, weight_decay=0.0)
        self._gradients = Gradients(
            wrapped,
            weights,
            team,
            most_rows=config.micro_rows or config.batch_rows,
            pad=int(tokenizer.pad_token_id),
            packing=team.on_gpu if config.packing is None else config.packing,
            seed=config.seed,
            on_notice=listeners.on_notice,
        )
        self._trained = sum(weight.numel() for weight in weights)
        self._asked = sampled_rows(examples.holdout_answers, config.samples)
        self._done = Progress()
        self._started = time.monotonic()

    def run(self, steps: list[StepRows]) -> None:
        """Take every step that no checkpoint holds."""
        self._resume()
        every = max(1, round(self._config.checkpoint_share * len(steps)))
        sampled = sample_steps(len(steps))
        for at in range(self._done.step, len(steps)):
            self._step(steps[at], at + 1, len(steps))
            if at + 1 in sampled:
                self._sample()
            if (at + 1) % every == 0 and at + 1 < len(steps):
                self._keep()
            reach("training.step")

    def deliver(self, folder: Path) -> Adapter:
        """Return the finished adapter from its folder."""
        if self._team.speaks:
            self._checkpoints.deliver(folder, self._done, self._save)
        self._team.wait()
        return read_adapter(folder, base=self._base)

    def _resume(self) -> None:
        newest = self._checkpoints.newest()
        self._team.wait()  # or one process reads what another one already clears away
        if newest:
            load_weights(self._model, newest.folder)
            load_optimiser(self._model, self._optimiser, newest.folder / OPTIMISER)
            self._done = newest.progress
            self._started -= newest.progress.seconds
            if self._listeners.on_notice:
                self._listeners.on_notice(f"Resuming after step {newest.progress.step}.")
        if self._team.speaks:
            self._checkpoints.clear()
            size = self._trained * _CHECKPOINT_BYTES_A_WEIGHT + _CHECKPOINT_BYTES_BESIDE
            self._checkpoints.require_space(size)

    def _step(self, rows: StepRows, step: int, steps: int) -> None:
        rate = self._config.learning_rate * rate_share(step - 1, steps, self._config)
        gradient = self._gradients.of(rows, step)
        if not gradient.finite:
            raise DivergedError(self._diverged(gradient, step, steps))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._done = Progress(
            step, self._done.tokens + rows.tokens, time.monotonic() - self._started
        )
        if self._listeners.on_step:
            done = self._done
            self._listeners.on_step(
                TrainingStep(step, steps, gradient.loss, rate, done.tokens, done.seconds)
            )

    def _sample(self) -> None:
        if on_sample := self._listeners.on_sample:
            samples = take_samples(
                self._model, self._tokenizer, self._asked, self._done.step, self._team.autocast()
            )
            for sample in samples:
                on_sample(sample)

    def _keep(self) -> None:
        if self._team.speaks:
            self._checkpoints.write(self._done, partial(self._save, resumable=True))

    def _save(self, folder: Path, *, resumable: bool = False) -> None:
        save_adapter(
            self._model,
            self._base,
            folder,
            examples=self._examples.digest,
            tokens=self._done.tokens,
            seconds=self._done.seconds,
            started_from=self._begun,
        )
        if resumable:
            save_optimiser(self._model, self._optimiser, folder / OPTIMISER)
            reach("checkpoint.optimiser")

    def _diverged(self, gradient: Gradient, step: int, steps: int) -> str:
        return (
            f"Training diverged at step {step} of {steps}: loss {gradient.loss}, gradient "
            f"{gradient.norm}. {self._checkpoints.kept_words()} Lower `learning_rate` under "
            "`[training]` and retrain."
        )


def rate_share(step: int, steps: int, config: FinetuneConfig) -> float:
    """Return the share of the learning rate at a step, from 0: up in a line, down in a cosine.

    >>> [round(rate_share(s, 10, FinetuneConfig(warmup_share=0.2)), 2) for s in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.04]
    """
    warm = max(1, round(config.warmup_share * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
