"""What the JSON of a foreign model or adapter may say, key by key."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import ModelCorruptError, UnsafeModelError
from training.models.foreign_config import KnownModels, check_adapter_config, check_model_configs

KNOWN = KnownModels(frozenset({"llama"}), frozenset({"LlamaForCausalLM"}))
PLAIN = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
LORA = {
    "peft_type": "LORA",
    "r": 16,
    "target_modules": ["q_proj", "model.layers.0.v_proj"],
    "base_model_name_or_path": "any/name",
    "megatron_core": "megatron.core",
    "init_lora_weights": True,
    "rank_pattern": {},
    "use_dora": False,
}


def model_with(
    folder: Path, said: Mapping[str, object] | None = None, *, file: str = "config.json"
) -> Path:
    """Return a folder whose only weights are a directory: opening them would raise."""
    (folder / "model.safetensors").mkdir()
    (folder / "config.json").write_text(json.dumps(PLAIN))
    told = {**(PLAIN if file == "config.json" else {}), **(said or {})}
    (folder / file).write_text(json.dumps(told))
    return folder


def adapter_with(folder: Path, said: Mapping[str, object] | None = None) -> Path:
    (folder / "adapter_config.json").write_text(json.dumps({**LORA, **(said or {})}))
    return folder


@pytest.mark.parametrize(
    "said",
    [
        {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}},
        {"auto_map": {}},
        {"text_config": {"auto_map": {"AutoConfig": "x.Y"}}},
        {"layers": [{"trust_remote_code": True}]},
        {"custom_pipelines": {"x": {"impl": "y.Z"}}},
        {"custom_generate": "org/name"},
        {"attn_implementation": "org/kernel"},
        {"_attn_implementation": "org/kernel@v1:run"},
        {"_attn_implementation_internal": "org/kernel"},
        {"attn_implementation": {"": "org/kernel"}},
        {"attn_implementation": {"text_config": ["sdpa"]}},
        {"experts_implementation": "org/kernel"},
        {"_experts_implementation_internal": "org/kernel"},
        {"transformers_weights": "adapter_model.bin"},
        {"transformers_weights": "other.safetensors"},
        {"kernel_config": {"RMSNorm": "org/kernel:RMSNorm"}},
        {"use_kernels": True},
        {"quantization_config": {"quant_method": "evil"}},
        {"quantization_config": {"quant_method": "mxfp4"}},
        {"quantization_config": {}, "text_config": {"quantization_config": {"bits": 4}}},
        {"quantization_config": ["bitsandbytes"]},
        {"model_type": "evil"},
        {"model_type": None},
        {"model_type": ["llama"]},
        {"architectures": ["LlamaForSequenceClassification"]},
        {"architectures": "LlamaForCausalLM"},
        {"architectures": [{}, 3]},
        {"tokenizer_class": "package.module.Class"},
        {"tokenizer_class": "org/name--module.Class"},
        {"tokenizer_class": ["LlamaTokenizer"]},
    ],
    ids=json.dumps,
)
def test_a_config_that_wants_more_than_its_weights_is_refused(
    said: dict[str, object], tmp_path: Path
) -> None:
    folder = model_with(tmp_path, said)

    with pytest.raises(UnsafeModelError, match="choose another model"):
        check_model_configs(folder, KNOWN)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"architectures": None},
        {"architectures": ["Other", "LlamaForCausalLM"]},
        {"attn_implementation": None},
        {"_attn_implementation": "sdpa"},
        {"attn_implementation": {"": "eager", "text_config": "flash_attention_2"}},
        {"experts_implementation": "grouped_mm"},
        {"transformers_weights": None},
        {"use_kernels": False},
        {"quantization_config": None},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
        {"tokenizer_class": "Qwen2Tokenizer"},
    ],
    ids=json.dumps,
)
def test_a_plain_config_is_taken(said: dict[str, object], tmp_path: Path) -> None:
    check_model_configs(model_with(tmp_path, said), KNOWN)


@pytest.mark.parametrize(
    "file", ["tokenizer_config.json", "generation_config.json", "processor_config.json", "x.json"]
)
def test_every_json_is_read(file: str, tmp_path: Path) -> None:
    folder = model_with(tmp_path, {"auto_map": {"AutoTokenizer": ["x.Y", None]}}, file=file)

    with pytest.raises(UnsafeModelError, match=f"{file}.*auto_map"):
        check_model_configs(folder, KNOWN)


@pytest.mark.parametrize("file", ["tokenizer.json", "vocab.json", "added_tokens.json"])
def test_a_word_of_a_vocabulary_is_no_key(file: str, tmp_path: Path) -> None:
    check_model_configs(model_with(tmp_path, {"auto_map": 7}, file=file), KNOWN)


def test_an_adapter_beside_a_base_model_is_refused(tmp_path: Path) -> None:
    """Transformers would put it on the base, and so the base would be another one."""
    folder = adapter_with(model_with(tmp_path))

    with pytest.raises(UnsafeModelError, match="lies beside a base model"):
        check_model_configs(folder, KNOWN)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff{}", "is not JSON"),
        ("[]", "holds no JSON object, but list"),
        ('"auto_map"', "holds no JSON object, but str"),
    ],
    ids=["empty", "cut", "deep", "not-utf-8", "list", "string"],
)
def test_a_config_that_is_no_json_object_is_corrupt(
    content: str, told: str, tmp_path: Path
) -> None:
    folder = model_with(tmp_path)
    (folder / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(ModelCorruptError, match=told):
        check_model_configs(folder, KNOWN)


def test_a_config_too_long_to_be_one_is_not_read(tmp_path: Path) -> None:
    folder = model_with(tmp_path)
    os.truncate(folder / "config.json", 16 * 2**20 + 1)

    with pytest.raises(ModelCorruptError, match="16,777,216 at most"):
        check_model_configs(folder, KNOWN)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_a_config_that_is_no_plain_file_is_refused_and_not_waited_for(
    make: object, tmp_path: Path
) -> None:
    folder = model_with(tmp_path)
    assert callable(make)
    make(folder / "generation_config.json")

    with pytest.raises(ModelCorruptError, match="no plain file"):
        check_model_configs(folder, KNOWN)


@pytest.mark.parametrize(
    "said",
    [
        {"peft_type": "LOHA"},
        {"peft_type": None},
        {"auto_mapping": {"parent_library": "evil", "base_model_class": "X"}},
        {"auto_map": {"AutoModel": "x.Y"}},
        {"megatron_config": {"a": 1}},
        {"megatron_core": "evil.core"},
        {"eva_config": {"rho": 2}},
        {"corda_config": {"cache_file": "evil.pt"}},
        {"lora_ga_config": {"cache_file": "evil.pt"}},
        {"loftq_config": {"loftq_bits": 4}},
        {"layer_replication": [[0, 10_000]]},
        {"modules_to_save": ["lm_head"]},
        {"trainable_token_indices": [0]},
        {"use_dora": True},
        {"init_lora_weights": "corda"},
        {"init_lora_weights": {"a": 1}},
        {"target_modules": "(a+)+$"},
        {"target_modules": ["q_proj", 3]},
        {"target_modules": ["(a+)+$"]},
        {"target_modules": None},
    ],
    ids=json.dumps,
)
def test_an_adapter_that_is_more_than_a_plain_lora_is_refused(
    said: dict[str, object], tmp_path: Path
) -> None:
    folder = adapter_with(tmp_path, said)

    with pytest.raises(UnsafeModelError, match=next(iter(said))):
        check_adapter_config(folder)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"target_modules": "all-linear"},
        {"init_lora_weights": "gaussian"},
        {"loftq_config": {}},
        {"megatron_core": None},
    ],
    ids=json.dumps,
)
def test_a_plain_lora_is_taken(said: dict[str, object], tmp_path: Path) -> None:
    check_adapter_config(adapter_with(tmp_path, said))
