"""Where a training runs: its device, its processes, its precision. Nothing else imports accelerate.

`accelerate launch` tells each process who it is; without it there is one process, on the GPU if
there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor

from training.errors import TrainingError
from training.models.adapters import Trainable
from training.models.loading import has_fast_bfloat16

# The model is whole on each device and gradients are summed; nothing else has been tried.
_KNOWN = frozenset({DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU})
_PRECISIONS = frozenset({"no", "bf16"})


class Team:
    """The processes that share every step. Only the one that `speaks` writes files."""

    def __init__(self) -> None:
        self._accelerator = Accelerator()
        kind, precision = self._accelerator.distributed_type, self._accelerator.mixed_precision
        if kind not in _KNOWN or precision not in _PRECISIONS:
            msg = (
                f"The accelerate file asks for {kind.value!r} with mixed precision "
                f"{precision!r}. An adapter is trained with the whole model on each device, in "
                "bf16: set `distributed_type` to 'NO', 'MULTI_CPU' or 'MULTI_GPU' and "
                "`mixed_precision` to 'no' or 'bf16'."
            )
            raise TrainingError(msg)

    @property
    def device(self) -> torch.device:
        """What this process computes on."""
        device: torch.device = self._accelerator.device
        return device

    @property
    def on_gpu(self) -> bool:
        """True if that is a GPU."""
        return self.device.type == "cuda"

    @property
    def process(self) -> int:
        """This process's number, from 0."""
        return int(self._accelerator.process_index)

    @property
    def processes(self) -> int:
        """How many share a step."""
        return int(self._accelerator.num_processes)

    @property
    def speaks(self) -> bool:
        """True for the one process that writes and reports."""
        return bool(self._accelerator.is_main_process)

    @property
    def has_bfloat16(self) -> bool:
        """True if the device multiplies bfloat16 itself; emulated, float32 is faster."""
        return torch.cuda.is_bf16_supported() if self.on_gpu else has_fast_bfloat16()

    def prepare(self, model: Trainable) -> Any:
        """Return the model on its device, with gradients averaged over the processes."""
        return self._accelerator.prepare_model(model)

    def alone(self, model: Any) -> AbstractContextManager[Any]:
        """Return a context in which gradients are not averaged yet."""
        return self._accelerator.no_sync(model) if self.processes > 1 else nullcontext()

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context in which products are made in bfloat16 where that is fast."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.has_bfloat16)

    def total(self, values: Sequence[float]) -> list[float]:
        """Return sums over all processes."""
        if self.processes == 1:
            return list(values)
        mine = torch.tensor(values, dtype=torch.float32, device=self.device)
        summed: Tensor = self._accelerator.reduce(mine, "sum")
        return [float(value) for value in summed]

    def wait(self) -> None:
        """Return when every process has come this far."""
        self._accelerator.wait_for_everyone()

    def part(self) -> None:
        """Leave the others once all have come this far: the last thing a process does.

        Without it gloo's threads still listen while Python ends, and now and then abort it.
        """
        self.wait()
        self._accelerator.end_training()
