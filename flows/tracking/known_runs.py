"""Runs of one knowledge base that are in MLflow: found, related to one another, ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.release import Published
from flows.tracking.run_links import ENDED, PROCESS, ROLE, OpenRun, linked, tag_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
# More publications than anybody looks back at for one that is missing.
_NEWEST = 500


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """The runs of one experiment, by its id."""

    client: MlflowClient
    experiment: str

    def unfinished(self) -> tuple[OpenRun, ...]:
        """Return the runs that say they are running, the newest first."""
        found = self.client.search_runs([self.experiment], "attributes.status = 'RUNNING'")
        return tuple(
            OpenRun(run.info.run_id, tags.get(ROLE, ""), tags.get(PROCESS, ""))
            for run in found
            for tags in [run.data.tags]
        )

    def end(self, run: OpenRun, why: str) -> None:
        """End a run that nobody goes on with as killed, and say why; the timeline goes on."""
        if run.role == "timeline":
            self.client.set_terminated(run.id)
            return
        self.client.set_tag(run.id, ENDED, why)
        self.client.set_terminated(run.id, "KILLED")

    def shown(self) -> frozenset[int]:
        """Return the publications that have a run here, finished or being written."""
        wanted = "tags.`driftline.publication` != ''"
        found = self.client.search_runs(
            [self.experiment], wanted, max_results=_NEWEST, order_by=["attributes.start_time DESC"]
        )
        return frozenset(
            int(run.data.tags["driftline.publication"])
            for run in found
            if run.info.status in {"FINISHED", "RUNNING"}
            and run.data.tags.get(ROLE) in {"release", "promotion"}
        )

    def make_way(self, role: str, published: Published) -> bool:
        """Return whether a publication has its run; what killed or failed ones left gives way."""
        found = self.found(role, "driftline.publication", str(published.sequence))
        if any(run.info.status == "FINISHED" for run in found):
            return True
        for run in found:
            self.supersede(run)
        return False

    def training_of(self, model: str, version: int) -> str:
        """Return the run that a version was registered by, "" if the registry does not say."""
        found = _unless_absent(lambda: self.client.get_model_version(model, str(version)))
        return str(found.run_id or "") if found else ""

    def relate(self, run_id: str, other: str, *, instead_of: Sequence[str] = ()) -> None:
        """Let two runs name each other, in a tag and in a link of the description.

        A release goes on naming the check that it was published by, unless that is one of those
        that this check is `instead_of`. A run that is not there (any more) is not named.
        """
        mine, theirs = self.tags(run_id), self.tags(other)
        if mine is None or theirs is None:
            return
        self._name(run_id, mine, tag_of(theirs.get(ROLE, "")), other)
        back = tag_of(mine.get(ROLE, ""))
        if theirs.get(ROLE) != "release":
            self._name(other, theirs, back, run_id)
        elif theirs.get(back, "") in {"", *instead_of}:
            self._name(other, theirs, back, run_id)
            self.client.set_tag(other, PARENT, run_id)

    def _name(self, run_id: str, tags: dict[str, str], tag: str, other: str) -> None:
        self.client.set_tag(run_id, tag, other)
        note = linked(tags.get(_NOTE, ""), {**tags, tag: other}, self.experiment)
        self.client.set_tag(run_id, _NOTE, note)

    def tags(self, run_id: str) -> dict[str, str] | None:
        """Return a run's tags, None if there is no such run."""
        found = _unless_absent(lambda: self.client.get_run(run_id)) if run_id else None
        return dict(found.data.tags) if found else None

    def remove_upload(self, run_id: str, folder: str) -> None:
        """Remove what an upload left in a run's folder, unless a model version was made of it."""
        from mlflow.store.artifact import artifact_repository_registry as repositories

        if not self.client.search_model_versions(f"run_id = '{run_id}'"):
            uri = self.client.get_run(run_id).info.artifact_uri
            repositories.get_artifact_repository(uri).delete_artifacts(folder)

    def found(self, role: str, tag: str, value: str) -> list[Any]:
        """Return the runs of a role that carry a tag with this value, the newest first."""
        wanted = f"tags.`{tag}` = '{value}' and tags.`{ROLE}` = '{role}'"
        return list(self.client.search_runs([self.experiment], wanted))

    def supersede(self, run: Any) -> None:
        """Take out of every view what a killed run left; nothing that was written is deleted."""
        self.client.set_tag(run.info.run_id, ROLE, "superseded")
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id, "KILLED")


def _unless_absent(ask: Callable[[], Any]) -> Any | None:
    """Return what MLflow answers, None if it has nothing of that id."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        return None
