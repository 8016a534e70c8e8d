"""What the JSON of a foreign model or adapter may say. Standard library only; opens no weights.

The keys are those that transformers 5.23 and peft 0.21 read from a folder and that make them import
code, open another file, or ask a model hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.errors import ModelCorruptError, UnsafeModelError

_ADAPTER_CONFIG = "adapter_config.json"
# Lists of words: whatever a word is, it is no key.
_WORD_LISTS = frozenset({"tokenizer.json", "vocab.json", "added_tokens.json", "tekken.json"})
# The longest real one, a tokenizer_config.json with many added tokens, has 1 MB.
_MOST_BYTES = 16 * 2**20

# Code that came with the weights, or lies in another repository.
_CODE_KEYS = frozenset(
    {"auto_map", "trust_remote_code", "custom_pipelines", "custom_generate", "custom_objects"}
)
# `transformers_weights` names the file to load, "adapter_model.bin" too, which is a pickle.
_FETCH_KEYS = frozenset({"transformers_weights", "kernel_config", "use_kernels"})
# "org/name" is a kernel: compiled code from a model hub.
_IMPLEMENTATION = re.compile(r"_?(attn|experts)_impl")
_IMPLEMENTATIONS = frozenset(
    {None, "eager", "sdpa", "flash_attention_2", "flex_attention", "grouped_mm", "batched_mm"}
)
# The others fetch kernels while they load (fp8, mxfp4), name classes (torchao), or cannot train.
_QUANTISATIONS = frozenset({"bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit"})
_CLASS_NAME = re.compile(r"[A-Za-z]\w*")

# peft fills a saved config with the defaults of all of these; only another value does something.
_ADAPTER_EMPTY = (
    "auto_mapping",
    "megatron_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "velora_config",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "loftq_config",
    "layer_replication",
    "trainable_token_indices",
    "modules_to_save",
    "target_parameters",
    "alora_invocation_tokens",
    "use_bdlora",
    "use_qalora",
    "use_dora",
    "lora_bias",
)


@dataclass(frozen=True, slots=True)
class KnownModels:
    """What the installed transformers can load itself, as `model_type` and as class name."""

    model_types: frozenset[str]
    architectures: frozenset[str]


def check_model_configs(folder: Path, known: KnownModels) -> None:
    """Raise unless every JSON of a model folder asks for nothing but the weights beside it.

    Raises UnsafeModelError, and ModelCorruptError for what is no JSON.
    """
    if (folder / _ADAPTER_CONFIG).exists():
        msg = (
            f"{str(folder / _ADAPTER_CONFIG)!r} lies beside a base model: the adapter would be "
            "loaded with it, or the model that it names instead. Move it out of the folder."
        )
        raise UnsafeModelError(msg)
    check_keys(folder)
    _check_kind(folder / "config.json", known)


def check_keys(folder: Path) -> None:
    """Raise UnsafeModelError for a key, at any depth of any JSON, that runs or fetches code."""
    for path in sorted(folder.glob("*.json")):
        if path.name not in _WORD_LISTS:
            for key, value in _entries(read_json(path)):
                if why := objection(key, value):
                    _refuse(path, key, value, why)


def objection(key: str, value: object) -> str:
    """Return why a model's config must not say this, "" if it may.

    >>> objection("attn_implementation", "sdpa")
    ''
    >>> objection("attn_implementation", "org/kernel")
    'asks to run code of its own'
    """
    if key in _CODE_KEYS:
        return "asks to run code of its own"
    if _IMPLEMENTATION.match(key):
        named = value.values() if isinstance(value, dict) else [value]
        known = all(each is None or isinstance(each, str) for each in named)
        return "" if known and _IMPLEMENTATIONS.issuperset(named) else "asks to run code of its own"
    if key in _FETCH_KEYS and value:
        return "asks for files of its own choice"
    if key == "quantization_config" and value:
        method = value.get("quant_method") if isinstance(value, dict) else value
        known = isinstance(method, str) and method in _QUANTISATIONS
        return "" if known else "is quantised in a way that is not trained on"
    if key == "tokenizer_class" and value is not None:
        plain = isinstance(value, str) and _CLASS_NAME.fullmatch(value)
        return "" if plain else "names a class outside transformers"
    return ""


def check_adapter_config(folder: Path) -> None:
    """Raise UnsafeModelError unless an adapter's config is a plain LoRA.

    `base_model_name_or_path` is any name: nothing follows it, the base model is given.
    """
    path = folder / _ADAPTER_CONFIG
    config = read_json(path)
    for key, value in _entries(config):
        if why := objection(key, value):
            _refuse(path, key, value, why)
    for key, plain in _plain_lora(config):
        if not plain:
            _refuse(path, key, config.get(key), "is no plain LoRA")


def _plain_lora(config: Mapping[str, object]) -> Iterator[tuple[str, bool]]:
    """Yield each key that could make more of an adapter than two matrices a layer; True if not."""
    yield "peft_type", config.get("peft_type") == "LORA"
    for key in _ADAPTER_EMPTY:
        yield key, not config.get(key)
    # The other starts ("eva", "corda", "lora_ga") read a pickle that the config names.
    start = config.get("init_lora_weights")
    yield "init_lora_weights", start is None or isinstance(start, bool) or start == "gaussian"
    yield "megatron_core", config.get("megatron_core") in (None, "megatron.core")
    yield "target_modules", _plain_names(config.get("target_modules"))


def _plain_names(targets: object) -> bool:
    """Return True for a list of names; one string is a pattern, and may take for ever to match."""
    if targets == "all-linear":
        return True
    return isinstance(targets, list) and all(
        isinstance(name, str) and re.fullmatch(r"[\w.]+", name) for name in targets
    )


def read_json(path: Path) -> Mapping[str, object]:
    """Return a JSON object of reasonable size. Raises ModelCorruptError for anything else."""
    if not path.is_file():  # a FIFO would wait for a writer
        msg = f"{str(path)!r} is not there or no plain file. Fetch the model again."
        raise ModelCorruptError(msg)
    if (size := path.stat().st_size) > _MOST_BYTES:
        msg = f"{str(path)!r} has {size:,} bytes; a config has {_MOST_BYTES:,} at most."
        raise ModelCorruptError(msg)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is not JSON: {error}. Fetch the model again."
        raise ModelCorruptError(msg) from error
    if not isinstance(found, dict):
        msg = f"{str(path)!r} holds no JSON object, but {type(found).__name__}. Fetch it again."
        raise ModelCorruptError(msg)
    return found


def _check_kind(path: Path, known: KnownModels) -> None:
    """Raise unless it is a causal language model whose code transformers has."""
    config = read_json(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in known.model_types:
        _refuse(path, "model_type", kind, "is no causal language model that transformers knows")
    named = config.get("architectures")
    if not named:
        return
    if not (isinstance(named, list) and known.architectures.intersection(map(str, named))):
        _refuse(path, "architectures", named, "is no causal language model that transformers knows")


def _entries(config: object) -> Iterator[tuple[str, object]]:
    """Yield every key of nested JSON with its value."""
    todo: list[object] = [config]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            yield from part.items()
            todo += part.values()
        elif isinstance(part, list):
            todo += part


def _refuse(path: Path, key: str, value: object, why: str) -> None:
    told = repr(value)
    shown = told if len(told) <= 80 else f"{told[:77]}..."  # noqa: PLR2004 - a line of a terminal
    msg = (
        f"{str(path)!r} {why}: {key} = {shown}. Driftline loads a model's weights and runs nothing "
        "that comes with them; choose another model."
    )
    raise UnsafeModelError(msg)
