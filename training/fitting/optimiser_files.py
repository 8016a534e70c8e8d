"""What an optimiser remembers of each weight, as safetensors and never as a pickle."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch.nn import Module
from torch.optim import Optimizer

from training.files import write_whole

_BETWEEN = "|"  # in no name of a weight


def save_optimiser(model: Module, optimiser: Optimizer, path: Path) -> None:
    """Write the state of every weight that trains, under the weight's name."""
    state = {
        f"{name}{_BETWEEN}{key}": value.detach().cpu().contiguous()
        for name, weight in model.named_parameters()
        if weight.requires_grad
        for key, value in optimiser.state[weight].items()
    }
    write_whole(path, save(state))


def load_optimiser(model: Module, optimiser: Optimizer, path: Path) -> None:
    """Put the state back, to the bit. Raises OSError if the file cannot be read."""
    weights = dict(model.named_parameters())
    with safe_open(path, framework="pt") as file:
        for label in file.keys():  # noqa: SIM118 - not a dict
            name, _, key = label.rpartition(_BETWEEN)
            weight, value = weights[name], file.get_tensor(label)
            # The step count stays on the CPU, as AdamW keeps it.
            there = value if value.ndim == 0 else value.to(weight.device)
            optimiser.state[weight][key] = there.to(torch.float32)
