"""Model versions and what each was trained on: those that know an erased text.

Beside `registry`, which makes and checks versions; a mark here is for people, the journal decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAINTED = "driftline.tainted"
_SNAPSHOT, _ADAPTER = "driftline.snapshot", "driftline.adapter_digest"
_FROM = "driftline.started_from"


@dataclass(frozen=True, slots=True)
class Trained:
    """A version with an adapter: what it was trained on, from which adapter ("" for none)."""

    version: int
    snapshot: str
    adapter_digest: str
    started_from: str
    run_id: str
    examples: Path | None


class Taints:
    """The versions of one model, by what they were trained on."""

    def __init__(self, tracking_uri: str, name: str) -> None:
        self._uri, self._name = tracking_uri, name

    @cached_property
    def _client(self) -> MlflowClient:
        # Seconds of import, and telemetry unless told otherwise before it.
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        return MlflowClient(self._uri, self._uri)

    def trained(self) -> tuple[Trained, ...]:
        """Return every version with an adapter, oldest first; no adapter is read."""
        found = self._client.search_model_versions(f"name = '{self._name}'")
        return tuple(
            Trained(
                version=int(each.version),
                snapshot=each.tags.get(_SNAPSHOT, ""),
                adapter_digest=each.tags[_ADAPTER],
                started_from=each.tags.get(_FROM, ""),
                run_id=str(each.run_id or ""),
                examples=self._examples(str(each.run_id or "")),
            )
            for each in sorted(found, key=lambda each: int(each.version))
            if each.tags.get(_ADAPTER)
        )

    def mark(self, version: int, told: str) -> None:
        """Say at a version that it must not answer again, and why."""
        self._client.set_model_version_tag(self._name, str(version), TAINTED, told)

    def move_snapshot(self, old: str, new: str) -> None:
        """Let every version that was trained on a snapshot name the one that took its place."""
        for each in self._client.search_model_versions(f"name = '{self._name}'"):
            if each.tags.get(_SNAPSHOT) == old:
                self._client.set_model_version_tag(self._name, str(each.version), _SNAPSHOT, new)

    def _examples(self, run_id: str) -> Path | None:
        """Return the folder with the rows of a training, None where they are not to be had."""
        from mlflow.exceptions import MlflowException

        if not run_id:
            return None
        try:
            uri = urlparse(str(self._client.get_run(run_id).info.artifact_uri))
            if uri.scheme in {"", "file"}:
                folder = Path(unquote(uri.path)) / "examples"
                return folder if folder.is_dir() else None
            return Path(self._client.download_artifacts(run_id, "examples"))
        except (MlflowException, OSError):
            return None


def tainted_among(
    trained: Collection[Trained], names: Callable[[Path], bool], held: Callable[[str], bool]
) -> tuple[int, ...]:
    """Return the versions that know an erased document, those that began with one too, in order.

    `names` says whether the rows in a folder name it. Where the rows are gone, `held` says whether
    the snapshot that a version was trained on had the document, or may have had it.
    """
    known = {
        each.adapter_digest
        for each in trained
        if (names(each.examples) if each.examples else held(each.snapshot))
    }
    while more := {
        each.adapter_digest
        for each in trained
        if each.started_from in known and each.adapter_digest not in known
    }:
        known |= more
    return tuple(sorted(each.version for each in trained if each.adapter_digest in known))
