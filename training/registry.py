"""Model versions in MLflow's registry; what runs say about them is written elsewhere."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from training.errors import AliasMovedError, ModelCorruptError, ModelMissingError
from training.failpoints import reach
from training.models.adapter_files import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    adapter_digest,
    read_adapter,
    tokenizer_digest,
)
from training.records import Adapter, BaseModel, ModelVersion
from training.sums import write_sums
from training.weighing import Evaluation, Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ADAPTER, _MODEL, _CARD = "adapter", "model", "card.md"
_RUN, _KEY = "driftline.run_id", "driftline.key"
_DIGEST = "driftline.adapter_digest"
# What loading a version needs. Named, because MLflow takes 40 s to guess it, and misses torch.
_PACKAGE = "driftline"
# Measures of text, told in bits per byte: their tags say so.
_BITS = frozenset({"new", "old", "general"})


class Registry:
    """The versions of all models. A version's files are what its tags say, or it is refused.

    `tracking_uri` is absolute (`sqlite:////…/mlflow.db` or a server). Runs are made elsewhere.
    `served_by` is the script that MLflow keeps in each version and runs to load it: plain MLflow
    answers with `models:/NAME@champion` wherever Driftline is installed.
    """

    def __init__(self, tracking_uri: str, *, served_by: Path) -> None:
        self._uri = tracking_uri
        self._served_by = served_by

    @cached_property
    def _client(self) -> MlflowClient:
        # Seconds of import, and telemetry unless told otherwise before it.
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        return MlflowClient(self._uri, self._uri)

    def register(
        self,
        *,
        name: str,
        base: BaseModel,
        adapter: Adapter | None,
        snapshot: str,
        data_digest: str,
        requested_by: str,
        run_id: str,
        evaluation: Evaluation | None,
        verdict: Verdict | None,
        card: str,
        reference: str = "",
        champion: int | None = None,
        parent_run: str = "",
        key: str = "",
    ) -> ModelVersion:
        """Return the version that this run registered, made now unless an earlier try made it.

        Creating a version is not idempotent: MLflow would number a second one. `card` is Markdown,
        the version's description and its file card.md. `requested_by` is the run of the check
        that asked, `champion` the version it was weighed against, `parent_run` the run whose
        adapter the training began with. Raises ModelCorruptError if what was uploaded is not what
        was trained; then there is no version.
        """
        adopted = self._of_run(name, run_id) or self._of_training(name, key, adapter)
        if adopted is not None:
            return adopted
        tags = {
            _RUN: run_id,
            _KEY: key,
            "driftline.snapshot": snapshot,
            "driftline.data_digest": data_digest,
            "driftline.base_name": base.name,
            "driftline.base_digest": base.digest,
            "driftline.tokenizer_digest": tokenizer_digest(base),
            _DIGEST: adapter.digest if adapter else "",
            "driftline.started_from": adapter.started_from if adapter else "",
            "driftline.requested_by": requested_by,
            "driftline.reference": reference,
            "driftline.champion": "" if champion is None else str(champion),
            "driftline.parent_run": parent_run,
            **_verdict_tags(evaluation, verdict),
        }
        self._ensure_model(name)
        source = self._logged(run_id, base, adapter, card)
        if adapter:
            self._require_uploaded(source, adapter)
        reach("registry.uploaded")
        made = self._client.create_model_version(
            name, source, run_id=run_id, tags=tags, description=card
        )
        reach("registry.versioned")
        return self.version(name, int(made.version))

    def version(self, name: str, n: int) -> ModelVersion:
        """Return a version with its adapter's files hashed against its tag.

        Raises ModelMissingError if there is none of that number, and ModelCorruptError if its files
        are gone or are not the ones that were registered.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version(name, str(n))
        except MlflowException as error:
            msg = f"Model {name!r} has no version {n} in {self._place}: {error.message}"
            raise ModelMissingError(msg) from error
        return self._checked(found)

    def folder(self, name: str, n: int) -> Path:
        """Return where all files of a version are, whatever they are by now."""
        return self._local_folder(str(self._client.get_model_version(name, str(n)).source))

    def aliased(self, name: str, alias: str) -> ModelVersion | None:
        """Return the version that an alias points at, or None if it points nowhere."""
        found = self._found(name, alias)
        return self._checked(found) if found is not None else None

    def pointed(self, name: str, alias: str) -> int | None:
        """Return the number that an alias points at, or None; the version's files are not read."""
        found = self._found(name, alias)
        return int(found.version) if found is not None else None

    def point(self, name: str, alias: str, version: int, *, expected: int | None) -> None:
        """Move an alias from the version that it is expected at (None: from nowhere).

        MLflow moves an alias unconditionally, so whoever calls this holds the knowledge base's
        lease. An alias that is there already stays: an earlier try moved it. Raises AliasMovedError
        if it is anywhere else.
        """
        there = self.pointed(name, alias)
        if there == version:
            return
        if there != expected:
            msg = (
                f"The alias {alias!r} of {name!r} points at {_told(there)}, not at "
                f"{_told(expected)} as expected: somebody moved it meanwhile. It was left alone; "
                "look at it in MLflow, then run this again."
            )
            raise AliasMovedError(msg)
        self._client.set_registered_model_alias(name, alias, str(version))

    @property
    def _place(self) -> str:
        return repr(
            urlparse(self._uri)._replace(netloc=urlparse(self._uri).hostname or "").geturl()
        )

    def _found(self, name: str, alias: str) -> Any | None:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def _of_run(self, name: str, run_id: str) -> ModelVersion | None:
        # Tag values cannot be escaped in a filter; a run's id is hexadecimal, a name is a person's.
        if not run_id.isalnum():
            msg = f"Not an MLflow run id: {run_id!r}."
            raise ValueError(msg)
        found = self._client.search_model_versions(f"tags.`{_RUN}` = '{run_id}'")
        mine = sorted(int(v.version) for v in found if v.name == name)
        return self.version(name, mine[0]) if mine else None

    def _of_training(self, name: str, key: str, adapter: Adapter | None) -> ModelVersion | None:
        """Return the version of a training whose run was killed before its verdict, if any.

        A base model on its own has a key too: its version is found like that of a training.
        """
        if not key.isalnum():
            return None
        digest = adapter.digest if adapter else ""
        found = self._client.search_model_versions(f"tags.`{_KEY}` = '{key}'")
        mine = [v for v in found if v.name == name and v.tags.get(_DIGEST) == digest]
        return self.version(name, max(int(v.version) for v in mine)) if mine else None

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _logged(self, run_id: str, base: BaseModel, adapter: Adapter | None, card: str) -> str:
        """Put a model folder among the run's artifacts and return where; an older try's count."""
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made) / _MODEL
            self._save(folder, base, adapter)
            (folder / _CARD).write_text(card, encoding="utf-8")
            write_sums(folder)
            self._client.log_artifacts(run_id, str(folder), _MODEL)
        return f"{self._client.get_run(run_id).info.artifact_uri}/{_MODEL}"

    def _save(self, folder: Path, base: BaseModel, adapter: Adapter | None) -> None:
        """Write what MLflow loads: the script, the adapter and the names of both models' files.

        The base model is named, not copied.
        """
        from mlflow.pyfunc import save_model

        # MLflow names an artifact's folder after the one it is copied from.
        copied = folder.with_name(_ADAPTER)
        if adapter:
            copied.mkdir()
            for file in (CONFIG, WEIGHTS, MANIFEST):
                shutil.copyfile(adapter.folder / file, copied / file)
        save_model(
            path=str(folder),
            python_model=str(self._served_by),
            artifacts={_ADAPTER: str(copied)} if adapter else None,
            model_config={
                "base_name": base.name,
                "base_digest": base.digest,
                "adapter_digest": adapter.digest if adapter else "",
            },
            pip_requirements=[f"{_PACKAGE}=={installed(_PACKAGE)}"],
        )

    def _require_uploaded(self, source: str, adapter: Adapter) -> None:
        folder = _adapter_folder(self._local_folder(source))
        if (there := read_adapter(folder).digest) != adapter.digest:
            msg = (
                f"The adapter that was uploaded to {source!r} has the digest {there[:12]}, the one "
                f"that was trained {adapter.digest[:12]}. No version was made; run this again."
            )
            raise ModelCorruptError(msg)

    def _checked(self, found: Any) -> ModelVersion:
        tags = dict(found.tags)
        try:
            snapshot = tags["driftline.snapshot"]
            base, adapter = tags["driftline.base_digest"], tags[_DIGEST]
        except KeyError as error:
            msg = (
                f"Version {found.version} of {found.name!r} lacks the tag {error.args[0]!r}: "
                "Driftline did not register it. Point the alias at a version that it did."
            )
            raise ModelCorruptError(msg) from error
        folder = self._verified_folder(found, adapter) if adapter else None
        number, run_id = int(found.version), str(found.run_id or "")
        return ModelVersion(found.name, number, snapshot, base, adapter, folder, run_id)

    def _verified_folder(self, found: Any, digest: str) -> Path:
        folder = _adapter_folder(self._local_folder(str(found.source)))
        if adapter_digest(folder) != digest or read_adapter(folder).digest != digest:
            msg = (
                f"The adapter of version {found.version} of {found.name!r} in {str(folder)!r} is "
                f"not the one registered ({digest[:12]}). Go back to an earlier release."
            )
            raise ModelCorruptError(msg)
        return folder

    def _local_folder(self, source: str) -> Path:
        """Return a version's files as a local folder; a server's are fetched once."""
        place = urlparse(source)
        if place.scheme in {"", "file"}:
            return Path(unquote(place.path))
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(artifact_uri=source, tracking_uri=self._uri))


def _told(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _adapter_folder(folder: Path) -> Path:
    """Return where the adapter is in a version's files; until 2026-11 it was all of them."""
    inside = folder / "artifacts" / _ADAPTER
    return inside if inside.is_dir() else folder


def _verdict_tags(evaluation: Evaluation | None, verdict: Verdict | None) -> dict[str, str]:
    """Return what a person wants to see beside a version without opening its run."""
    tags: dict[str, str] = {}
    if verdict:
        tags |= {
            "driftline.promote": str(verdict.promote).lower(),
            "driftline.reason": verdict.reason,
        }
    for name, change in evaluation.measures if evaluation else ():
        if change.rows:
            label = f"{name}_bits" if name in _BITS else name
            tags[f"driftline.champion_{label}"] = f"{change.champion:.4f}"
            tags[f"driftline.challenger_{label}"] = f"{change.challenger:.4f}"
    return tags
