"""A plain PyTorch loop that trains one adapter, the same weights for the same rows and seed."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from training.adapter_files import read_adapter
from training.adapters import Trainable, attach_adapter, save_adapter
from training.chunks import approximate_tokens
from training.encoding import IGNORED, Batch, Encoded, by_length, encode_row, pad_left
from training.errors import DivergedError, NotEnoughTextError
from training.files import move_in
from training.models import has_fast_bfloat16, load_base, load_tokenizer
from training.records import Adapter, BaseModel, FinetuneConfig, Row, TrainingSet, TrainingStep

_MOST_GRADIENT = 1.0
OnStep = Callable[[TrainingStep], None]


def estimate_cost(examples: TrainingSet, config: FinetuneConfig) -> tuple[int, int]:
    """Return about how many tokens and how many optimiser steps `finetune` will take."""
    lengths = [min(approximate_tokens(row), config.max_row_tokens) for row in examples.train]
    epochs = _epochs(sum(lengths), config)
    answers = sum(bool(row.question) for row in examples.train)
    kinds = (answers, len(examples.train) - answers)
    return epochs * sum(lengths), epochs * sum(math.ceil(n / config.batch_rows) for n in kinds)


def _epochs(tokens: int, config: FinetuneConfig) -> int:
    """Return how often the rows are passed over: until the budget is spent, within the limit."""
    return max(1, min(config.epochs, round(config.budget_tokens / max(1, tokens))))


def finetune(
    base: BaseModel,
    examples: TrainingSet,
    config: FinetuneConfig,
    folder: Path,
    *,
    on_step: OnStep | None = None,
) -> Adapter:
    """Train an adapter on the rows and return it from `folder`, which appears whole or not at all.

    Loss is on the text of text rows and on the answers of answer rows. The same base, rows,
    config and machine give the same adapter to the bit, so a run that was killed is repeated,
    not repaired. Raises DivergedError if the loss or a gradient is not a finite number, and
    FileExistsError rather than mix two trainings in one folder.
    """
    if folder.exists():
        msg = f"There is an adapter in {str(folder)!r} already. Read it, or choose another folder."
        raise FileExistsError(msg)
    started = time.monotonic()
    torch.manual_seed(config.seed)
    model = attach_adapter(load_base(base), config).train()
    batches = _batches(base, examples.train, config)
    tokens = sum(batch.tokens for batch in batches)
    _train(model, batches, config, started, on_step)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left)  # of a run of this very training that was killed
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        seconds = time.monotonic() - started
        save_adapter(
            model, base, Path(made), examples=examples.digest, tokens=tokens, seconds=seconds
        )
        move_in(Path(made), folder)
    return read_adapter(folder, base=base)


def _batches(base: BaseModel, rows: Sequence[Row], config: FinetuneConfig) -> list[Batch]:
    """Return all batches of all epochs. Text and answers never share one: their costs differ."""
    tokenizer = load_tokenizer(base)
    encoded = [encode_row(tokenizer, row, most_tokens=config.max_row_tokens) for row in rows]
    texts = [e for e, row in zip(encoded, rows, strict=True) if not row.question and e.told]
    answers = [e for e, row in zip(encoded, rows, strict=True) if row.question]
    if not texts and not answers:
        msg = "There is no row to train on: every one is empty. Add documents."
        raise NotEnoughTextError(msg)
    pad = int(tokenizer.pad_token_id)
    random = Random(config.seed)  # noqa: S311 - not for secrets: the same order in every run
    epochs = _epochs(sum(len(e.ids) for e in encoded), config)
    return [batch for _ in range(epochs) for batch in _epoch((texts, answers), pad, config, random)]


def _epoch(
    kinds: Sequence[list[Encoded]], pad: int, config: FinetuneConfig, random: Random
) -> Iterator[Batch]:
    batches: list[list[Encoded]] = []
    for rows in kinds:
        # Shuffled before the stable sort by length: rows of like length meet others each epoch.
        shuffled = random.sample(rows, len(rows))
        batches += [[shuffled[i] for i in at] for at in by_length(shuffled, config.batch_rows)]
    random.shuffle(batches)
    yield from (pad_left(batch, pad) for batch in batches)


def _train(
    model: Trainable,
    batches: Sequence[Batch],
    config: FinetuneConfig,
    started: float,
    on_step: OnStep | None,
) -> None:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = AdamW(weights, lr=config.learning_rate, weight_decay=0.0)
    schedule = LambdaLR(optimiser, lambda step: _rate_share(step, len(batches), config))
    tokens = 0
    for step, batch in enumerate(batches, start=1):
        rate = float(schedule.get_last_lr()[0])
        loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(weights, _MOST_GRADIENT)
        _require_finite(loss, norm, step)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        tokens += batch.tokens
        if on_step:
            seconds = time.monotonic() - started
            on_step(TrainingStep(step, len(batches), loss.item(), rate, tokens, seconds))


def _rate_share(step: int, steps: int, config: FinetuneConfig) -> float:
    """Return the share of the learning rate at a step, from 0: up in a line, down in a cosine.

    >>> [round(_rate_share(s, 10, FinetuneConfig(warmup_share=0.2)), 2) for s in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.04]
    """
    warm = max(1, round(config.warmup_share * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _loss(model: Trainable, batch: Batch) -> Tensor:
    """Return the mean loss over the told tokens; logits are made for these positions alone."""
    kept = min(batch.told + 1, batch.ids.shape[1])
    with torch.autocast(model.device.type, torch.bfloat16, enabled=has_fast_bfloat16()):
        logits = model(
            input_ids=batch.ids, attention_mask=batch.mask, logits_to_keep=kept, use_cache=False
        ).logits
    told = batch.labels[:, -kept + 1 :]
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), told.flatten(), ignore_index=IGNORED)


def _require_finite(loss: Tensor, norm: Tensor, step: int) -> None:
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        msg = (
            f"Training diverged at step {step}: loss {loss.item()}, gradient {norm.item()}. "
            "Nothing was kept. Lower `learning_rate` under `[training]` and retrain."
        )
        raise DivergedError(msg)
