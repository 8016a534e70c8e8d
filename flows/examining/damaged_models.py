"""What is damaged in models: registered versions and their files, the base model, the embedder."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.examining.verification import Depth, Notes
from flows.model_places import locate
from flows.promoting.champion import CHAMPION
from flows.release import Release
from retrieval.errors import RetrievalError
from training.errors import TrainingError
from training.files import folder_digest
from training.sums import check_sums

_PATIENCE_SECONDS = 5.0


def look_at_models(desk: Desk, depth: Depth, notes: Notes) -> None:
    """Note what is damaged in the model that answers; at full depth in all that ever answered."""
    if not _reachable(desk, notes):
        return
    serving = desk.release().release
    versions = {
        each.release.model_version: each.release for each in desk.journal.history(desk.name)
    }
    wanted = versions if depth is Depth.FULL else {serving.model_version: serving}
    for version, release in sorted(wanted.items()):
        serves = version == serving.model_version
        notes.checked["models"] += 1
        for code, what in model_damage(desk, release):
            if taint_of(desk.journal, desk.name, version):
                continue  # an erasure took text out of its files
            notes.found(
                code,
                f"version {version} of {release.model_name}",
                what,
                answers=_answers(serving, serves=serves),
                cure=_cure(desk.name, serves=serves),
            )
    _look_at_alias(desk, serving, notes)
    if depth is Depth.FULL:
        look_at_base(desk, serving, notes)
        _look_at_embedder(desk, serving, notes)


def model_damage(desk: Desk, release: Release) -> Iterable[tuple[str, str]]:
    """Return a code and what is wrong for each thing that is, with the model of a release."""
    try:
        model = desk.registry.version(release.model_name, release.model_version)
        folder = desk.registry.folder(release.model_name, release.model_version)
    except TrainingError as error:
        return [(error.code, str(error))]
    wrong = [(broken.path, broken.what) for broken in check_sums(folder) or ()]
    told = [("MODEL_CORRUPT", f"{str(path)!r}: {what}") for path, what in wrong]
    if (model.adapter_digest, model.base_digest) != (release.adapter_digest, release.base_digest):
        told.append(("MODEL_CORRUPT", "its tags in MLflow are not those of the release"))
    return told


def _look_at_alias(desk: Desk, serving: Release, notes: Notes) -> None:
    pointed = desk.registry.pointed(serving.model_name, CHAMPION)
    if pointed != serving.model_version:
        notes.remarks.append(
            f"the alias {CHAMPION!r} is at {f'version {pointed}' if pointed else 'no version'}, "
            f"version {serving.model_version} answers: the next check brings them together"
        )


def look_at_base(desk: Desk, serving: Release, notes: Notes) -> None:
    """Note a base model that changed.

    It is hashed anew: a digest that is remembered by size and time sees no wrong bit.
    """
    if serving.base != desk.settings.model.base:
        notes.remarks.append(f"the settings name another base model than {serving.base!r}")
        return
    notes.checked["models"] += 1
    try:
        folder = desk.base.folder
        wrong = "" if folder_digest(folder) == serving.base_digest else f"{str(folder)!r} changed"
    except TrainingError as error:
        wrong = str(error)
    if wrong:
        notes.found(
            "MODEL_CORRUPT",
            f"base model {serving.base}",
            wrong,
            answers="searches; an answer in words may be garbled",
            cure="remove that folder, or install the package again",
        )


def _look_at_embedder(desk: Desk, serving: Release, notes: Notes) -> None:
    if desk.settings.embedder.address is not None:
        return
    # Behind it is the tokenizer library, which only this depth needs.
    from retrieval.embedders.model_files import ModelFiles

    notes.checked["models"] += 1
    try:
        there = ModelFiles(locate(desk.settings.embedder.model)).fingerprint
        remembered = desk.embedder.fingerprint
    except RetrievalError as error:
        there, remembered = str(error), serving.embedder
    if there == serving.embedder:
        return
    if remembered == serving.embedder:
        notes.found(
            "EMBEDDER_CORRUPT",
            f"embedder {desk.settings.embedder.model}",
            "its files are not those that it was used with",
            answers="nothing that needs a vector: full text alone, or wrong neighbours",
            cure="install the package again, or fetch the model again",
        )
    else:
        notes.remarks.append("the settings name another embedder than the release was made with")


def _reachable(desk: Desk, notes: Notes) -> bool:
    """Return whether MLflow answers; a server that does not is told, and is no damage."""
    uri = desk.settings.tracking_uri
    if not uri.startswith("http"):
        return True
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PATIENCE_SECONDS):  # noqa: S310 - the tracking server of the settings
            return True
    except (urllib.error.URLError, OSError) as error:
        notes.remarks.append(f"MLflow does not answer, so no model was looked at: {error}")
        return False


def _answers(serving: Release, *, serves: bool) -> str:
    if serves:
        return "searches; `driftline ask` refuses a model that is not the one registered"
    return f"version {serving.model_version}: this one is not the champion"


def _cure(kb: str, *, serves: bool) -> str:
    if serves:
        return f"`driftline verify {kb} --repair`, or put the files back"
    return "none needed: it cannot be gone back to until its files are put back"
