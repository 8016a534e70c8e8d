"""A base model in four bits, for a GPU that cannot hold it in sixteen."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from training.errors import TrainingError
from training.records import BaseModel


def load_four_bit(base: BaseModel, device: torch.device) -> PreTrainedModel:
    """Load the model in NF4 with its scales quantised too (Dettmers et al. 2023, QLoRA).

    Raises TrainingError without a GPU or without bitsandbytes.
    """
    if device.type != "cuda":
        msg = (
            f"`four_bit` under `[training]` needs a CUDA GPU; this training runs on {device.type!r}"
            ". Set it to false."
        )
        raise TrainingError(msg)
    if find_spec("bitsandbytes") is None:
        msg = (
            "`four_bit` under `[training]` needs bitsandbytes, which is not installed. Install it "
            "with `pip install 'driftline[gpu]'`, or set `four_bit` to false."
        )
        raise TrainingError(msg)
    packed = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model: Any = AutoModelForCausalLM.from_pretrained(
        base.folder,
        quantization_config=packed,
        device_map={"": device},
        use_safetensors=True,
        local_files_only=True,
    )
    loaded: PreTrainedModel = model
    return loaded
