"""The gradient of one optimiser step: the same however the step is cut, or shared out.

The loss of a step is the sum over its told tokens divided by their count, so a row weighs what its
tokens weigh, in whichever micro-batch or process it is.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import cross_entropy

from training.encoding import IGNORED, Batch
from training.errors import OutOfMemoryError
from training.fitting.batches import StepRows, cut, share_of
from training.fitting.listeners import OnNotice
from training.fitting.team import Team

_MOST_GRADIENT = 1.0
# An eighth of the rows that did not fit: what still fails then fails at one row too.
_MOST_HALVINGS = 3
# How torch says it on a GPU, and how its allocator for the CPU and the system do.
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate")


@dataclass(frozen=True, slots=True)
class Gradient:
    """Mean loss over the told tokens of a step, and the gradient's norm before it was clipped."""

    loss: float
    norm: float

    @property
    def finite(self) -> bool:
        """True if there is a direction to step in."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Gradients:
    """Makes the gradients of one training; `most_rows` go through the model at a time.

    If the memory does not hold them, `most_rows` is halved, at most three times, and stays so.
    """

    def __init__(
        self,
        model: Any,
        weights: list[Parameter],
        team: Team,
        *,
        most_rows: int,
        pad: int,
        packing: bool,
        seed: int,
        on_notice: OnNotice | None = None,
    ) -> None:
        self._model, self._weights, self._team = model, weights, team
        self._most_rows, self._pad, self._packing, self._seed = most_rows, pad, packing, seed
        self._on_notice = on_notice
        self._halvings = 0

    def of(self, rows: StepRows, step: int) -> Gradient:
        """Leave the step's gradient, clipped, in the weights. Raises OutOfMemoryError."""
        loss = self._tried(rows, step)
        while loss is None:
            self._halve(step)
            loss = self._tried(rows, step)
        (whole,) = self._team.total([loss])
        norm = torch.nn.utils.clip_grad_norm_(self._weights, _MOST_GRADIENT)
        return Gradient(whole, norm.item())

    def _tried(self, rows: StepRows, step: int) -> float | None:
        """Return this process's part of the loss, or None if the memory did not hold it."""
        # Each step draws its dropout from a seed of its own: nothing before it matters, so a
        # resumed training needs no generator's state, and a sample in between takes nothing.
        torch.manual_seed(Random(f"{self._seed} {step} {self._team.process}").getrandbits(63))  # noqa: S311
        for weight in self._weights:
            weight.grad = None
        try:
            return self._accumulated(rows)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
        return None

    def _accumulated(self, rows: StepRows) -> float:
        team = self._team
        mine = share_of(rows, team.process, team.processes)
        # All processes average their gradients together: one without a row sends zeros.
        weight = team.processes / rows.told if mine.rows else 0.0
        mine = mine if mine.rows else StepRows(rows.rows[:1], rows.is_text)
        batches = list(cut(mine, most_rows=self._most_rows, pad=self._pad, packing=self._packing))
        total = 0.0
        for batch in batches:
            last = batch is batches[-1]
            with nullcontext() if last else team.alone(self._model), team.autocast():
                loss = summed_loss(self._model, batch.to(team.device)) * weight
            with nullcontext() if last else team.alone(self._model):
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item() / team.processes
        return total

    def _halve(self, step: int) -> None:
        # Where several processes wait for each other, one alone cannot cut its rows anew.
        if self._most_rows == 1 or self._halvings == _MOST_HALVINGS or self._team.processes > 1:
            msg = (
                f"Out of memory at step {step}, with {self._most_rows} rows at a time. Lower "
                "`micro_rows` or `max_row_tokens` under `[training]`, or choose a smaller base "
                "model; then retrain: it goes on from the last checkpoint."
            )
            raise OutOfMemoryError(msg)
        self._halvings += 1
        self._most_rows = max(1, self._most_rows // 2)
        if self._team.on_gpu:
            torch.cuda.empty_cache()
        if self._on_notice:
            self._on_notice(
                f"Out of memory at step {step}: from here on {self._most_rows} rows at a time."
            )


def summed_loss(model: Any, batch: Batch) -> Tensor:
    """Return the sum of losses over the told tokens; logits are made for these positions alone."""
    kept = min(batch.told + 1, batch.ids.shape[1])
    packed = batch.positions is not None
    given = {"position_ids": batch.positions} if packed else {"attention_mask": batch.mask}
    logits = model(input_ids=batch.ids, logits_to_keep=kept, use_cache=False, **given).logits
    told = batch.labels[:, batch.labels.shape[1] - kept + 1 :]
    return cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), told.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def _is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    said = str(error).casefold()
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in said for words in _OUT_OF_MEMORY)
