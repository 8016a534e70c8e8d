"""Which files of a model folder may be opened: plain ones, inside it, whole. Standard library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.errors import ModelCorruptError, ModelMissingError, UnsafeModelError
from training.files import DIGESTED
from training.models.foreign_config import read_json

_INDEX = "model.safetensors.index.json"
_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt"})
_LENGTH_BYTES = 8
# The limit of the safetensors format: https://github.com/huggingface/safetensors#format
_MOST_HEADER_BYTES = 100_000_000


def check_files(folder: Path) -> None:
    """Raise UnsafeModelError for anything but plain files that lie inside the folder.

    A model hub's cache is allowed: there a snapshot links to the blobs of its own repository.
    """
    home = folder.resolve()
    inside = [home]
    if home.parent.name == "snapshots":
        inside.append(home.parent.parent / "blobs")
    for path in _named_like_model_files(folder):
        if not path.is_file():  # asks for its kind and opens nothing: a FIFO would never answer
            msg = f"{str(path)!r} is no plain file. Fetch the model again."
            raise UnsafeModelError(msg)
        target = path.resolve()
        if not any(target.is_relative_to(place) for place in inside):
            msg = (
                f"{str(path)!r} is a link out of the model's folder, to {str(target)!r}. Copy the "
                "file there, or name the folder that it lies in."
            )
            raise UnsafeModelError(msg)


def check_weights(folder: Path, *, cure: str) -> None:
    """Raise unless the weights are whole safetensors; pickles beside them are never opened.

    Raises UnsafeModelError, ModelMissingError (with `cure`), ModelCorruptError.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
        if pickles:
            msg = (
                f"Only pickled weights in {str(folder)!r}: {', '.join(pickles)}. Loading them runs "
                "whatever code they carry. Use the safetensors of this model."
            )
            raise UnsafeModelError(msg)
        msg = f"No safetensors in {str(folder)!r}. {cure}"
        raise ModelMissingError(msg)
    if (folder / _INDEX).exists():
        _check_shards(folder, {path.name for path in weights})
    for path in weights:
        check_safetensors(path)


def check_safetensors(path: Path) -> None:
    """Raise ModelCorruptError unless a file is as long as its own header says it is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        most = min(size - _LENGTH_BYTES, _MOST_HEADER_BYTES)
        if not 0 < length <= most:
            _refuse(path, f"its header claims {length:,} bytes of a file of {size:,}")
        header = file.read(length)
    try:
        entries = json.loads(header)
        ends = [
            int(entry["data_offsets"][1])
            for name, entry in entries.items()
            if name != "__metadata__"
        ]
    except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError) as error:
        _refuse(path, f"its header cannot be read ({error!r})")
    there, told = size - _LENGTH_BYTES - length, max(ends, default=0)
    if there != told:
        _refuse(path, f"it holds {there:,} bytes of weights, its header tells of {told:,}")


def _refuse(path: Path, why: str) -> None:
    msg = f"{str(path)!r} is damaged: {why}. Fetch the model again."
    raise ModelCorruptError(msg)


def _named_like_model_files(folder: Path) -> Iterator[Path]:
    suffixes = DIGESTED | _PICKLES | {".gguf"}
    for path in sorted(folder.iterdir()):
        if path.suffix in suffixes:
            yield path
    yield from sorted(folder.glob("additional_chat_templates/*.jinja"))


def _check_shards(folder: Path, there: set[str]) -> None:
    """Raise unless the index names files of this folder: it may name any path, a pickle too."""
    told = read_json(folder / _INDEX).get("weight_map")
    named = set(map(str, told.values())) if isinstance(told, dict) else set()
    if foreign := sorted(n for n in named if Path(n).name != n or not n.endswith(".safetensors")):
        msg = (
            f"{str(folder / _INDEX)!r} names {foreign[0]!r}, which is no safetensors file of this "
            "folder. Choose another model."
        )
        raise UnsafeModelError(msg)
    if missing := sorted(named - there) or ([] if named else [_INDEX]):
        msg = f"The shard {missing[0]!r} is missing in {str(folder)!r}. Fetch the model again."
        raise ModelCorruptError(msg)
