"""LoRA adapters: attached, saved as safetensors, checked and loaded. Nothing else imports peft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from training.adapter_files import CONFIG, FORMAT, MANIFEST, adapter_digest, read_adapter
from training.errors import ModelCorruptError, UnsafeModelError
from training.files import write_whole
from training.models import load_base
from training.prompt import PROMPT_DIGEST
from training.records import Adapter, BaseModel, FinetuneConfig

Trainable = PeftModel


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


def save_adapter(
    model: PeftModel, base: BaseModel, folder: Path, *, examples: str, tokens: int, seconds: float
) -> Adapter:
    """Write the adapter and, last of all, the manifest that makes the folder count as complete.

    `examples` is the digest of the training set.
    """
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    _settle_config(folder / CONFIG, base)
    digest = adapter_digest(folder)
    manifest = {
        "format": FORMAT,
        "digest": digest,
        "base_digest": base.digest,
        "base_name": base.name,
        "prompt_digest": PROMPT_DIGEST,
        "examples_digest": examples,
        "tokens": tokens,
        "seconds": seconds,
    }
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode())
    return Adapter(folder, digest, base.digest, tokens, seconds=seconds)


def _settle_config(path: Path, base: BaseModel) -> None:
    """Write the config in one order and without a local path, so that equal runs hash equal."""
    config = json.loads(path.read_bytes())
    config["base_model_name_or_path"] = base.name
    config["target_modules"] = sorted(config["target_modules"])
    write_whole(path, json.dumps(config, indent=2, sort_keys=True).encode())


def load_for_inference(base: BaseModel, adapter_folder: Path | None) -> PreTrainedModel:
    """Load the base model, with the adapter merged into its weights if there is one.

    An adapter beside the weights makes every layer three products instead of one. The sum is made
    in float32 and rounded once. Raises what `read_adapter` raises.
    """
    if adapter_folder is None:
        return load_base(base)
    read_adapter(adapter_folder, base=base)
    _check_config(adapter_folder)
    model = load_base(base)
    with _readable(adapter_folder):
        both: Any = PeftModel.from_pretrained(model, str(adapter_folder), use_safetensors=True)
    # Never `.to(bfloat16)` on a whole model: it rounds the rotary frequencies as well, and every
    # position is a little off.
    merged: PreTrainedModel = both.merge_and_unload().eval()
    return merged


def _check_config(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_bytes())
    if config.get("peft_type") != "LORA" or config.get("auto_mapping"):
        msg = (
            f"{str(folder / CONFIG)!r} is no plain LoRA: peft_type {config.get('peft_type')!r}, "
            f"auto_mapping {config.get('auto_mapping')!r}. Driftline loads what it trained itself."
        )
        raise UnsafeModelError(msg)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        msg = f"The adapter in {str(folder)!r} cannot be put on its base model: {error}"
        raise ModelCorruptError(msg) from error
