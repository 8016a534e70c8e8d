"""Adapter folders: they describe themselves; damaged, foreign and unfitting ones are refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.training.builders import SMALL, text_row, training_set
from tests.training.tiny import tiny_base
from training.errors import AdapterMismatchError, ModelCorruptError, UnsafeModelError
from training.files import write_whole
from training.fitting.finetune import finetune
from training.models.adapter_files import CONFIG, MANIFEST, WEIGHTS, adapter_digest, read_adapter
from training.models.adapters import load_for_inference
from training.records import Adapter, BaseModel

ROWS = training_set([text_row(f"The lid number {n} opens at noon.") for n in range(3)])
CONFIG_SMALL = replace(SMALL, epochs=1, candidates=0)


@pytest.fixture(scope="module")
def tiny(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(base, tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def made(tiny: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return finetune(tiny, ROWS, CONFIG_SMALL, tmp_path_factory.mktemp("made") / "adapter")


@pytest.fixture
def folder(made: Adapter, tmp_path: Path) -> Path:
    """Return a copy that a test may damage."""
    return Path(shutil.copytree(made.folder, tmp_path / "adapter"))


def changed_manifest(folder: Path, **changed: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    write_whole(folder / MANIFEST, json.dumps(manifest | changed).encode())


def changed_config(folder: Path, **changed: object) -> None:
    """Change the config and sign it again: what a digest cannot catch."""
    config = json.loads((folder / CONFIG).read_bytes()) | changed
    (folder / CONFIG).write_text(json.dumps(config))
    changed_manifest(folder, digest=adapter_digest(folder))


@pytest.mark.slow
def test_an_adapter_folder_describes_itself(made: Adapter, tiny: BaseModel) -> None:
    names = {path.name for path in made.folder.iterdir()}
    config = json.loads((made.folder / CONFIG).read_bytes())
    manifest = json.loads((made.folder / MANIFEST).read_bytes())

    assert names == {CONFIG, WEIGHTS, MANIFEST}
    assert config["base_model_name_or_path"] == tiny.name
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["inference_mode"] is True
    assert manifest["format"] == 2
    assert manifest["base_digest"] == made.base_digest == tiny.digest
    assert manifest["digest"] == made.digest
    assert manifest["rank"] == made.rank == config["r"] == CONFIG_SMALL.rank
    assert manifest["started_from"] == made.started_from == ""
    assert len(manifest["tokenizer_digest"]) == 64


@pytest.mark.slow
def test_an_adapter_of_the_first_format_is_still_read(
    folder: Path, made: Adapter, tiny: BaseModel
) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    first = {
        key: manifest[key]
        for key in (
            "digest",
            "base_digest",
            "base_name",
            "prompt_digest",
            "examples_digest",
            "tokens",
            "seconds",
        )
    }
    write_whole(folder / MANIFEST, json.dumps({"format": 1, **first}).encode())

    adapter = read_adapter(folder, base=tiny, rank=CONFIG_SMALL.rank)

    assert adapter == replace(made, folder=folder)
    assert load_for_inference(tiny, folder)


@pytest.mark.slow
def test_an_adapter_of_a_format_to_come_is_refused(folder: Path) -> None:
    changed_manifest(folder, format=3)

    with pytest.raises(ModelCorruptError, match=r"format 3.*Upgrade"):
        read_adapter(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.999], ids=["first", "middle", "last"])
def test_one_flipped_bit_is_refused(folder: Path, name: str, at: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(at * len(content))] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ModelCorruptError, match="is not the one that was trained"):
        read_adapter(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, MANIFEST])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(ModelCorruptError, match=name):
        read_adapter(folder)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", "null", '{"format": "x"}', '{"format": 2}'])
def test_a_manifest_that_says_nothing_is_refused(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)

    with pytest.raises(ModelCorruptError, match="No readable"):
        read_adapter(folder)


@pytest.mark.slow
def test_another_base_model_is_refused(folder: Path, tiny: BaseModel) -> None:
    other = replace(tiny, name="other-model", digest="f" * 64)

    with pytest.raises(AdapterMismatchError, match=r"tiny-7.*not on 'other-model'"):
        read_adapter(folder, base=other)
    with pytest.raises(AdapterMismatchError):
        load_for_inference(other, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja"])
def test_another_tokenizer_is_refused(
    folder: Path, tiny: BaseModel, name: str, tmp_path: Path
) -> None:
    """Even where the base's digest is an old one, remembered from before the file changed."""
    other = replace(tiny, folder=Path(shutil.copytree(tiny.folder, tmp_path / "other")))
    (other.folder / name).write_text((other.folder / name).read_text() + " ")

    with pytest.raises(AdapterMismatchError, match="another tokenizer"):
        read_adapter(folder, base=other)
    with pytest.raises(AdapterMismatchError, match="another tokenizer"):
        load_for_inference(other, folder)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [CONFIG_SMALL.rank - 1, CONFIG_SMALL.rank + 1])
def test_another_rank_is_refused(folder: Path, rank: int) -> None:
    with pytest.raises(AdapterMismatchError, match=rf"rank 16, the training wants {rank}"):
        read_adapter(folder, rank=rank)

    assert read_adapter(folder, rank=CONFIG_SMALL.rank).rank == CONFIG_SMALL.rank


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"peft_type": "EVIL"}, {"auto_mapping": {"a": "b"}}])
def test_an_adapter_that_is_no_plain_lora_is_refused(
    changed: dict[str, object], folder: Path, tiny: BaseModel, tmp_path: Path
) -> None:
    changed_config(folder, **changed)

    with pytest.raises(UnsafeModelError, match="no plain LoRA"):
        load_for_inference(tiny, folder)
    with pytest.raises(UnsafeModelError, match="no plain LoRA"):
        finetune(tiny, ROWS, CONFIG_SMALL, tmp_path / "next", start=folder)


def without_one_layer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights.pop(min(weights))
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def with_a_foreign_layer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["base_model.model.other.lora_A.weight"] = weights[min(weights)].clone()
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def of_another_rank(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = min(weights)
    weights[name] = weights[name][:-1].clone()
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def no_safetensors(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"\x80\x04}\x94.")  # a pickle of an empty dict


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [without_one_layer, with_a_foreign_layer, of_another_rank, no_safetensors]
)
def test_weights_that_do_not_fit_are_no_start(
    damage: Callable[[Path], None], folder: Path, tiny: BaseModel, tmp_path: Path
) -> None:
    damage(folder)
    changed_manifest(folder, digest=adapter_digest(folder))

    with pytest.raises(ModelCorruptError, match="cannot be put on its base"):
        finetune(tiny, ROWS, CONFIG_SMALL, tmp_path / "next", start=folder)

    assert not (tmp_path / "next").exists()
