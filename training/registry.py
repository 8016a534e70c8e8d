"""Model versions in MLflow's registry. With `flows.tracking`, the only file that knows MLflow."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from training.adapter_files import CONFIG, MANIFEST, WEIGHTS, adapter_digest, read_adapter
from training.errors import ModelCorruptError, ModelMissingError
from training.records import Adapter, BaseModel, ModelVersion
from training.weighing import Evaluation, Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ADAPTER, _BARE = "adapter", "base"
_RUN = "driftline.run_id"


class Registry:
    """The versions of all models. A version's files are what its tags say, or it is refused.

    `tracking_uri` is absolute (`sqlite:////…/mlflow.db` or a server). Runs are made elsewhere.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri

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
    ) -> ModelVersion:
        """Return the version that this run registered, made now unless an earlier try made it.

        Creating a version is not idempotent: MLflow would number a second one. `card` is Markdown
        and becomes the version's description. The bare base model is a version whose artifact is
        its card alone.
        """
        adopted = self._of_run(name, run_id)
        if adopted is not None:
            return adopted
        tags = {
            _RUN: run_id,
            "driftline.snapshot": snapshot,
            "driftline.data_digest": data_digest,
            "driftline.base_name": base.name,
            "driftline.base_digest": base.digest,
            "driftline.adapter_digest": adapter.digest if adapter else "",
            "driftline.requested_by": requested_by,
            **_verdict_tags(evaluation, verdict),
        }
        self._ensure_model(name)
        source = self._logged(run_id, adapter, card)
        made = self._client.create_model_version(
            name, source, run_id=run_id, tags=tags, description=card
        )
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

    def aliased(self, name: str, alias: str) -> ModelVersion | None:
        """Return the version that an alias points at, or None if it points nowhere."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise
        return self._checked(found)

    def point(self, name: str, alias: str, version: int) -> None:
        """Move an alias. The last writer wins, so whoever calls this holds a lease."""
        self._client.set_registered_model_alias(name, alias, str(version))

    @property
    def _place(self) -> str:
        return repr(
            urlparse(self._uri)._replace(netloc=urlparse(self._uri).hostname or "").geturl()
        )

    def _of_run(self, name: str, run_id: str) -> ModelVersion | None:
        # Tag values cannot be escaped in a filter; a run's id is hexadecimal, a name is a person's.
        if not run_id.isalnum():
            msg = f"Not an MLflow run id: {run_id!r}."
            raise ValueError(msg)
        found = self._client.search_model_versions(f"tags.`{_RUN}` = '{run_id}'")
        mine = sorted(int(v.version) for v in found if v.name == name)
        return self.version(name, mine[0]) if mine else None

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _logged(self, run_id: str, adapter: Adapter | None, card: str) -> str:
        """Copy the files to the run's artifacts and return where they are; an older try's count."""
        folder = _ADAPTER if adapter else _BARE
        if adapter:
            for file in (CONFIG, WEIGHTS, MANIFEST):
                self._client.log_artifact(run_id, str(adapter.folder / file), folder)
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "card.md"
            path.write_text(card, encoding="utf-8")
            self._client.log_artifact(run_id, str(path), folder)
        return f"{self._client.get_run(run_id).info.artifact_uri}/{folder}"

    def _checked(self, found: Any) -> ModelVersion:
        tags = dict(found.tags)
        try:
            snapshot = tags["driftline.snapshot"]
            base, adapter = tags["driftline.base_digest"], tags["driftline.adapter_digest"]
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
        folder = self._local_folder(str(found.source))
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


def _verdict_tags(evaluation: Evaluation | None, verdict: Verdict | None) -> dict[str, str]:
    """Return what a person wants to see beside a version without opening its run."""
    tags: dict[str, str] = {}
    if verdict:
        tags |= {
            "driftline.promote": str(verdict.promote).lower(),
            "driftline.reason": verdict.reason,
        }
    if evaluation:
        numbers = asdict(evaluation)
        tags |= {
            f"driftline.{name}": f"{numbers[name]:.4f}"
            for name in ("champion_f1", "challenger_f1", "champion_new_bits", "challenger_new_bits")
        }
    return tags
