"""Has the next training room on the disk? Worked out from the base model's config alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.errors import ModelNotFoundError
from flows.examining.examination import Observation, ok, warning
from flows.examining.model_checks import model_folder, unpacked
from flows.examining.place_checks import nearest
from flows.settings.settings import Settings

# As `training.fitting.finetune` asks for: a weight and its two moments, three checkpoints of them.
_CHECKPOINT_BYTES_A_WEIGHT, _CHECKPOINTS = 12, 3
# The finished adapter, in its folder and as MLflow keeps it.
_ADAPTER_BYTES_A_WEIGHT, _ADAPTERS = 4, 2


def check_training_room(settings: Settings, free: int | None = None) -> Observation:
    """Observe whether checkpoints and adapter of the largest training have room."""
    name = "training room"
    try:
        folder = model_folder(settings.model.base)
        need = _needed(settings, folder) if folder else None
    except (ModelNotFoundError, OSError, ValueError, KeyError, TypeError):
        need = None  # not there yet, or of another kind; a training looks itself before it begins
    if need is None:
        return ok(name, "what a training needs is known once the base model was used")
    home = settings.home_folder
    left = shutil.disk_usage(nearest(home)).free if free is None else free
    said = f"{_mib(left)} are free where {str(home)!r} is, a training needs {_mib(need)}"
    if left < need:
        return warning(name, said, f"free {_mib(need - left)}, or set a smaller `rank`")
    return ok(name, said)


def _needed(settings: Settings, folder: Path) -> int:
    config = json.loads((unpacked(folder, settings.cache) / "config.json").read_bytes())
    ranks = [kb.finetune_config().rank for kb in settings.kb.values()]
    return training_bytes(config, max(ranks))


def training_bytes(config: Mapping[str, Any], rank: int) -> int:
    """Return the most bytes that a training writes, by a base model's config and a LoRA's rank.

    >>> one = {"hidden_size": 2, "intermediate_size": 4, "num_hidden_layers": 1,
    ...        "num_attention_heads": 2}
    >>> training_bytes(one, 1)  # 4 x (2 + 2) + 3 x (2 + 4) = 34 weights of 44 bytes
    1496
    """
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads = int(config["num_attention_heads"])
    of_a_head = int(config.get("head_dim") or hidden // heads)
    queries = of_a_head * heads
    keys = of_a_head * int(config.get("num_key_value_heads") or heads)
    # Every linear layer of a block: to queries and back, to keys and values, three of the inner.
    sides = 2 * (hidden + queries) + 2 * (hidden + keys) + 3 * (hidden + inner)
    weights = rank * int(config["num_hidden_layers"]) * sides
    each = _CHECKPOINTS * _CHECKPOINT_BYTES_A_WEIGHT + _ADAPTERS * _ADAPTER_BYTES_A_WEIGHT
    return weights * each


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
