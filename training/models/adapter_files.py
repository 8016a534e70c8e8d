"""An adapter's folder: what is in it, and whether it is what was trained. Standard library only.

Loads no weights, so that the registry can check an adapter without importing torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from training.errors import AdapterMismatchError, ModelCorruptError
from training.files import digest_of
from training.records import Adapter, BaseModel

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MANIFEST = "driftline.json"
# 2 adds rank, tokenizer_digest and started_from; 1 is still read.
FORMAT = 2

# What decides how text becomes ids, in the formats of transformers.
_TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)


@dataclass(frozen=True, slots=True)
class _Manifest:
    """`driftline.json`; what format 1 lacks is empty."""

    digest: str
    base_digest: str
    base_name: str
    tokens: int
    seconds: float
    tokenizer_digest: str
    started_from: str


def adapter_digest(folder: Path) -> str:
    """Return the sha256 over the adapter's config and weights; raise if one is not there."""
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"The adapter in {str(folder)!r} lacks {', '.join(missing)}. Train again."
        raise ModelCorruptError(msg)
    return digest_of([folder / CONFIG, folder / WEIGHTS])


def tokenizer_digest(base: BaseModel) -> str:
    """Return the sha256 over the files of a base model's tokenizer and chat template."""
    return digest_of(path for name in _TOKENIZER_FILES if (path := base.folder / name).is_file())


def read_adapter(
    folder: Path, *, base: BaseModel | None = None, rank: int | None = None
) -> Adapter:
    """Return what a folder holds, after its files were hashed against its manifest.

    Raises ModelCorruptError for any difference, and AdapterMismatchError if it was made for
    another base model or tokenizer than those of `base`, or with another rank than `rank`.
    """
    manifest = _read_manifest(folder)
    if (there := adapter_digest(folder)) != manifest.digest:
        msg = (
            f"The adapter in {str(folder)!r} is not the one that was trained: its files hash to "
            f"{there[:12]}, the manifest says {manifest.digest[:12]}. Go back to an earlier "
            "release."
        )
        raise ModelCorruptError(msg)
    rank_there = _read_rank(folder)
    if base is not None:
        _require_made_for(base, folder, manifest)
    if rank is not None and rank != rank_there:
        msg = (
            f"The adapter in {str(folder)!r} has rank {rank_there}, the training wants {rank}. Set "
            '`rank` under `[training]` back, or start from the base model with `start = "base"`.'
        )
        raise AdapterMismatchError(msg)
    return Adapter(
        folder,
        manifest.digest,
        manifest.base_digest,
        manifest.tokens,
        rank=rank_there,
        started_from=manifest.started_from,
        seconds=manifest.seconds,
    )


def _read_manifest(folder: Path) -> _Manifest:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        made_with = int(found["format"])
        manifest = _Manifest(
            digest=str(found["digest"]),
            base_digest=str(found["base_digest"]),
            base_name=str(found.get("base_name", "")),
            tokens=int(found["tokens"]),
            seconds=float(found["seconds"]),
            tokenizer_digest=str(found.get("tokenizer_digest", "")),
            started_from=str(found.get("started_from", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"No readable {MANIFEST} in {str(folder)!r}: {error!r}. Train again."
        raise ModelCorruptError(msg) from error
    if made_with > FORMAT:
        msg = (
            f"{str(folder / MANIFEST)!r} has format {made_with}, this Driftline reads up to "
            f"{FORMAT}. Upgrade Driftline, or go back to an earlier release."
        )
        raise ModelCorruptError(msg)
    return manifest


def _read_rank(folder: Path) -> int:
    """Return the rank from the adapter's config, which the digest covers."""
    try:
        return int(json.loads((folder / CONFIG).read_bytes())["r"])
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{str(folder / CONFIG)!r} names no rank: {error!r}. Train again."
        raise ModelCorruptError(msg) from error


def _require_made_for(base: BaseModel, folder: Path, manifest: _Manifest) -> None:
    if base.digest != manifest.base_digest:
        msg = (
            f"The adapter in {str(folder)!r} was trained on {manifest.base_name!r} "
            f"({manifest.base_digest[:12]}), not on {base.name!r} ({base.digest[:12]}). Set `base` "
            "under `[model]` back."
        )
        raise AdapterMismatchError(msg)
    wanted = manifest.tokenizer_digest
    if wanted and (there := tokenizer_digest(base)) != wanted:
        msg = (
            f"The adapter in {str(folder)!r} was trained with another tokenizer ({wanted[:12]}) "
            f"than the one in {str(base.folder)!r} ({there[:12]}). Fetch the base model again, or "
            "retrain."
        )
        raise AdapterMismatchError(msg)
