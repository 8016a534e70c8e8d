"""Are both models there, and the ones that what answers was made with? Loads neither."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from flows.errors import FlowError, ModelNotFoundError
from flows.examining.examination import Observation, failed, ok, warning
from flows.journal.journal import open_journal
from flows.model_places import locate
from flows.release import Release
from flows.settings.settings import Settings
from retrieval.embedders.model_files import ModelFiles
from retrieval.errors import EmbedderMissingError
from training.files import folder_digest

# Hashed at 500 MB a second, which leaves the other half of ten seconds.
_MOST_HASHED_BYTES = 2_500_000_000


def check_base(settings: Settings) -> Observation:
    """Observe whether the base model is there, and is the one that answers."""
    name = settings.model.base
    try:
        folder = model_folder(name)
        if folder is None:
            return _at_first_use("base model", name)
        digest = _base_digest(folder, settings.cache)
    except (ModelNotFoundError, OSError) as error:
        return failed("base model", str(error), "see [model] base in the settings")
    others = [
        kb
        for kb, release in _serving(settings).items()
        if digest and release.base == name and release.base_digest != digest
    ]
    if others:
        cure = f"put the earlier one back; adapters of {', '.join(others)} do not fit this one"
        return failed("base model", f"{name} is not the one that answers: {digest[:12]}", cure)
    return ok("base model", f"{name} {digest[:12]}".strip())


def check_embedder(settings: Settings) -> Observation:
    """Observe whether the embedding model is there, and is the one that answers."""
    chosen = settings.embedder
    if chosen.address is not None:
        return ok("embedder", f"{chosen.model} behind {chosen.address}")
    try:
        folder = model_folder(chosen.model)
        if folder is None:
            return _at_first_use("embedder", chosen.model)
        fingerprint = ModelFiles(folder, settings.cache / "embedders").fingerprint
    except (ModelNotFoundError, EmbedderMissingError, OSError) as error:
        return failed("embedder", str(error), "see [embedder] model in the settings")
    others = [kb for kb, made in _serving(settings).items() if made.embedder != fingerprint]
    if others:
        cure = f"`driftline refresh {others[0]}` makes the index anew for it"
        said = f"{chosen.model} is not what {', '.join(others)} was made with"
        return warning("embedder", said, cure)
    return ok("embedder", f"{chosen.model} {fingerprint[:12]}")


def model_folder(name: str) -> Path | None:
    """Return where a model is, None if it is a hub's and not on this machine; asks no network."""
    place = locate(name)
    if isinstance(place, Path):
        return place
    try:
        return Path(snapshot_download(place, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        if isinstance(error, HFValidationError) or place.count("/") != 1:
            msg = f"There is no model at {name!r}."
            raise ModelNotFoundError(msg) from error
        return None


def _base_digest(folder: Path, cache: Path) -> str:
    """Return the digest that a release has of a base model; "" where it is not known yet."""
    folder = unpacked(folder, cache)
    if not folder.is_dir() or _bytes(folder) > _MOST_HASHED_BYTES:
        return ""
    return folder_digest(folder, remembered_in=cache)


def unpacked(folder: Path, cache: Path) -> Path:
    """Return where the weights of a model are: one that is packed as GGUF is converted once.

    That folder is not there before the first use.
    """
    packed = sorted(folder.glob("*.gguf"))
    if not packed or any(folder.glob("*.safetensors")):
        return folder
    digest = folder_digest(folder, [packed[0]], remembered_in=cache)
    return cache / "models" / f"{packed[0].stem.lower()}-{digest[:16]}"


def _serving(settings: Settings) -> dict[str, Release]:
    file = settings.journal_url.removeprefix("sqlite:///")
    if settings.journal_url.startswith("sqlite") and not Path(file).exists():
        return {}
    try:
        with open_journal(settings.journal_url) as journal:
            found = {kb: journal.serving(kb) for kb in sorted(settings.kb)}
    except FlowError:
        return {}  # the check of the journal says so
    return {kb: published.release for kb, published in found.items() if published is not None}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _at_first_use(name: str, model: str) -> Observation:
    cure = f"fetch it while there is a network: `hf download {model}`"
    return warning(name, f"{model} is fetched from the model hub at its first use", cure)
