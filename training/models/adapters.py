"""LoRA adapters: attached, saved as safetensors, checked and loaded. Nothing else imports peft."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from transformers import PreTrainedModel

from training.errors import AdapterMismatchError, ModelCorruptError
from training.failpoints import reach
from training.files import write_whole
from training.models.adapter_files import (
    CONFIG,
    FORMAT,
    MANIFEST,
    WEIGHTS,
    adapter_digest,
    read_adapter,
    tokenizer_digest,
)
from training.models.foreign_config import check_adapter_config
from training.models.loading import load_base
from training.prompt import PROMPT_DIGEST
from training.records import Adapter, BaseModel, FinetuneConfig

Trainable = PeftModel
_NAME = "default"  # peft's own name for the only adapter


def attach_adapter(model: PreTrainedModel, config: FinetuneConfig) -> Trainable:
    """Return the model with a fresh adapter on every linear layer; only its weights train."""
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora)


def require_same_shape(folder: Path, config: FinetuneConfig) -> None:
    """Raise AdapterMismatchError unless an adapter's weights mean the same under this config.

    The rank is what `read_adapter` checks; alpha scales every weight.
    """
    check_adapter_config(folder)
    found = json.loads((folder / CONFIG).read_bytes())
    if (alpha := found.get("lora_alpha")) != config.alpha:
        msg = (
            f"The adapter in {str(folder)!r} has alpha {alpha!r}, the training wants "
            f'{config.alpha}. Start from the base model with `start = "base"`.'
        )
        raise AdapterMismatchError(msg)


def load_weights(model: Trainable, folder: Path) -> None:
    """Put an adapter's weights, to the bit, in place of those that train."""
    with _readable(folder):
        weights = load_file(folder / WEIGHTS)
        wanted = get_peft_model_state_dict(model, save_embedding_layers=False).keys()
        if odd := sorted(weights.keys() ^ wanted):
            msg = f"{len(odd)} weights are of other layers, the first is {odd[0]!r}"
            raise ValueError(msg)
        set_peft_model_state_dict(model, weights)


def save_adapter(
    model: Trainable,
    base: BaseModel,
    folder: Path,
    *,
    examples: str,
    tokens: int,
    seconds: float,
    started_from: str = "",
) -> Adapter:
    """Write the adapter and, last of all, the manifest that makes the folder count as complete.

    `examples` is the digest of the training set. Each file is whole or not there.
    """
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    plain = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    write_whole(folder / WEIGHTS, save(plain, metadata={"format": "pt"}))
    reach("adapter.weights")
    rank = _save_config(model, base, folder)
    reach("adapter.config")
    digest = adapter_digest(folder)
    manifest = {
        "format": FORMAT,
        "digest": digest,
        "base_digest": base.digest,
        "base_name": base.name,
        "tokenizer_digest": tokenizer_digest(base),
        "prompt_digest": PROMPT_DIGEST,
        "examples_digest": examples,
        "rank": rank,
        "started_from": started_from,
        "tokens": tokens,
        "seconds": seconds,
    }
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode())
    reach("adapter.manifest")
    return Adapter(
        folder, digest, base.digest, tokens, rank=rank, started_from=started_from, seconds=seconds
    )


def _save_config(model: Trainable, base: BaseModel, folder: Path) -> int:
    """Write the config in one order and without a local path, so that equal runs hash equal."""
    lora: Any = copy.copy(model.peft_config[_NAME])
    lora.inference_mode = True
    lora.save_pretrained(str(folder))
    config = json.loads((folder / CONFIG).read_bytes())
    config["base_model_name_or_path"] = base.name
    config["target_modules"] = sorted(config["target_modules"])
    write_whole(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True).encode())
    return int(config["r"])


def load_for_inference(base: BaseModel, adapter_folder: Path | None) -> PreTrainedModel:
    """Load the base model, with the adapter merged into its weights if there is one.

    An adapter beside the weights makes every layer three products instead of one. The sum is made
    in float32 and rounded once. Raises what `read_adapter` raises.
    """
    if adapter_folder is None:
        return load_base(base)
    read_adapter(adapter_folder, base=base)
    check_adapter_config(adapter_folder)
    model = load_base(base)
    with _readable(adapter_folder):
        both: Any = PeftModel.from_pretrained(model, str(adapter_folder), use_safetensors=True)
    # Never `.to(bfloat16)` on a whole model: it rounds the rotary frequencies as well, and every
    # position is a little off.
    merged: PreTrainedModel = both.merge_and_unload().eval()
    return merged


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        msg = f"The adapter in {str(folder)!r} cannot be put on its base model: {error}"
        raise ModelCorruptError(msg) from error
