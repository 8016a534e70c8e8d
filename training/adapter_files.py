"""An adapter's folder: what is in it, and whether it is what was trained. Standard library only.

Loads no weights, so that the registry can check an adapter without importing torch.
"""

from __future__ import annotations

import json
from pathlib import Path

from training.errors import AdapterMismatchError, ModelCorruptError
from training.files import digest_of
from training.records import Adapter, BaseModel

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MANIFEST = "driftline.json"
FORMAT = 1


def adapter_digest(folder: Path) -> str:
    """Return the sha256 over the adapter's config and weights; raise if one is not there."""
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"The adapter in {str(folder)!r} lacks {', '.join(missing)}. Train again."
        raise ModelCorruptError(msg)
    return digest_of([folder / CONFIG, folder / WEIGHTS])


def read_adapter(folder: Path, *, base: BaseModel | None = None) -> Adapter:
    """Return what a folder holds, after its files were hashed against its manifest.

    Raises ModelCorruptError for any difference, and AdapterMismatchError if it was made for
    another base model than `base`.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        promised, base_digest = str(manifest["digest"]), str(manifest["base_digest"])
        tokens, seconds = int(manifest["tokens"]), float(manifest["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"No readable {MANIFEST} in {str(folder)!r}: {error!r}. Train again."
        raise ModelCorruptError(msg) from error
    if (there := adapter_digest(folder)) != promised:
        msg = (
            f"The adapter in {str(folder)!r} is not the one that was trained: its files hash to "
            f"{there[:12]}, the manifest says {promised[:12]}. Go back to an earlier release."
        )
        raise ModelCorruptError(msg)
    if base is not None and base.digest != base_digest:
        msg = (
            f"The adapter in {str(folder)!r} was trained on {manifest.get('base_name')!r} "
            f"({base_digest[:12]}), not on {base.name!r} ({base.digest[:12]}). Set `base` under "
            "`[model]` back, or retrain."
        )
        raise AdapterMismatchError(msg)
    return Adapter(folder, promised, base_digest, tokens, seconds=seconds)
