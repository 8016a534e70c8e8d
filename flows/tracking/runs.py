"""The window people look through: MLflow runs of one knowledge base, linked to one another.

An experiment per knowledge base; one run a check, the release that it published and the trainings
that it asked for as children; one long-lived timeline run whose steps are the check numbers, so
that drift over time is a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.failpoints import reach
from flows.records import Check, RefreshOutcome
from flows.release import Published
from flows.tracking import cards
from flows.tracking.model_cards import promotion_card
from flows.tracking.run_figures import (
    blocked_answers,
    check_answers,
    check_figures,
    check_parameters,
    check_tables,
    promotion_answers,
    refresh_figures,
    release_answers,
)
from flows.tracking.run_links import ROLE, linked, run_page, tag_of
from flows.tracking.run_views import SHARED, VIEWS, experiment_note
from flows.tracking.training_runs import TrainingRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOTE = "mlflow.note.content"
_PARENT = "mlflow.parentRunId"
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


class Tracker:
    """Writes runs for one knowledge base; opens MLflow on first use."""

    def __init__(self, tracking_uri: str, kb: str, home: Path) -> None:
        self._uri, self._kb, self._home = tracking_uri, kb, home

    @cached_property
    def _client(self) -> MlflowClient:
        # An import of seconds, and no telemetry from a tool that runs unattended.
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        return MlflowClient(self._uri, self._uri)

    @cached_property
    def _experiment(self) -> str:
        """The experiment's id; made on first use, with artifacts at an absolute place."""
        name = f"driftline-{self._kb}"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # A server decides itself where artifacts go; a database of ours needs to be told.
        local = self._uri.startswith("sqlite")
        location = (self._home / "mlartifacts" / self._kb).as_uri() if local else None
        return str(self._client.create_experiment(name, artifact_location=location))

    def _describe(self, timeline: str) -> None:
        """Say on the experiment how to read it, and write the views there that it links to."""
        note = experiment_note(self._kb, self._experiment, timeline)
        wanted = {_NOTE: note, **{f"{SHARED}{view.key}": view.state for view in VIEWS}}
        there = self._client.get_experiment(self._experiment).tags
        for name, value in wanted.items():
            if there.get(name) != value:
                self._client.set_experiment_tag(self._experiment, name, value)

    def record_check(self, check: Check, now: datetime) -> str:
        """Write one run for a check and one step of the timeline; return the run's id.

        An earlier run of this number was killed before the journal knew of it, and gives way.
        """
        release, number = check.refresh.published.release, check.number
        killed = self._found("check", "driftline.number", str(number))
        for run in killed:
            self._supersede(run)
        published = self._release_run(check.refresh)
        title = f"{cards.check_title(check)}, {now:%Y-%m-%d %H:%M}"
        tags = {
            "driftline.number": str(number),
            "driftline.release": release.id,
            "driftline.snapshot": release.snapshot,
            "driftline.reference": check.report.reference,
            "driftline.champion": str(release.model_version),
            "driftline.action": check.decision.action.value,
            "driftline.reason": check.decision.reason,
            **check_answers(check),
            _NOTE: cards.check_card(check),
        }
        with self._run(title, "check", now, tags) as run_id:
            figures = check_figures(check)
            self._log(run_id, figures, now, step=number, parameters=check_parameters(check))
            for name, rows in check_tables(check.report).items():
                self._log_table(run_id, name, rows)
            if check.page is not None:
                self._client.log_artifact(run_id, str(check.page), "report")
            self._relate(run_id, published, instead_of=[run.info.run_id for run in killed])
        reach("tracking.timeline")
        timeline = self._timeline(now)
        self._log(timeline, figures, now, step=number)
        self._describe(timeline)
        return run_id

    def page_of(self, run_id: str) -> str:
        """Return the address of a run within MLflow."""
        return run_page(self._experiment, run_id)

    def record_blocked(self, code: str, reason: str, now: datetime) -> None:
        """Write one run for a check that a guard or a missing part stopped."""
        tags = {
            "driftline.action": "blocked",
            "driftline.code": code,
            "driftline.reason": reason,
            **blocked_answers(code, reason),
            _NOTE: f"## blocked\n{cards.escape(reason)}\n\nThe old release keeps answering.",
        }
        with self._run(f"blocked: {code}, {now:%Y-%m-%d %H:%M}", "check", now, tags):
            pass

    def record_refresh(self, outcome: RefreshOutcome) -> str:
        """Write one run for a release that a refresh published; return the run's id."""
        published = outcome.published
        tags = {
            "driftline.publication": str(published.sequence),
            "driftline.release": published.release.id,
            "driftline.snapshot": published.release.snapshot,
            "driftline.champion": str(published.release.model_version),
            "driftline.reason": published.reason,
            **release_answers(outcome),
            _NOTE: cards.refresh_card(outcome),
        }
        title = f"release: {published.reason}, {published.time:%Y-%m-%d %H:%M}"
        with self._run(title, "release", published.time, tags) as run_id:
            self._log(run_id, refresh_figures(outcome), published.time)
        return run_id

    def record_promotion(self, published: Published) -> None:
        """Write one run for a promotion, linked to the training of the version that answers."""
        release, time = published.release, published.time
        training = self._training_of(release.model_name, release.model_version)
        trained = self._tags(training) or {}
        nested = {_PARENT: training} if trained.get(ROLE) == "training" else {}
        tags = nested | {
            "driftline.publication": str(published.sequence),
            "driftline.release": release.id,
            "driftline.champion": str(release.model_version),
            "driftline.version": str(release.model_version),
            "driftline.reason": published.reason,
            **promotion_answers(published, trained),
            _NOTE: promotion_card(published),
        }
        title = f"{published.kind}: version {release.model_version}, {time:%Y-%m-%d %H:%M}"
        with self._run(title, "promotion", time, tags) as run_id:
            if trained:
                self._client.set_tag(training, "driftline.version", str(release.model_version))
            self._relate(run_id, training)
            self._relate(run_id, trained.get(tag_of("check"), ""))

    @contextmanager
    def model_run(self, title: str, now: datetime) -> Iterator[TrainingRun]:
        """Yield a run to hold a model that was not trained here."""
        with self._run(title, "model", now, {}) as run_id:
            yield TrainingRun(self._client, run_id, now, self._timeline(now))

    @contextmanager
    def training_run(
        self, title: str, now: datetime, *, key: str, parent: str
    ) -> Iterator[TrainingRun]:
        """Yield the run of a training; earlier ones that were killed are marked so.

        The caller holds the training lease, so a training that is still running is not alive.
        """
        unfinished = f"tags.`{ROLE}` = 'training' and attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._experiment], unfinished):
            self._client.set_terminated(run.info.run_id, "KILLED")
        tags = {"driftline.key": key} | ({_PARENT: parent} if parent else {})
        with self._run(title, "training", now, tags) as run_id:
            self._relate(run_id, parent)
            yield TrainingRun(self._client, run_id, now, self._timeline(now))

    def _timeline(self, now: datetime) -> str:
        """Return the id of the one run whose metrics are lines over the checks."""
        found = self._client.search_runs(
            [self._experiment], f"tags.`{ROLE}` = 'timeline'", max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        note = "One step a check: open the charts to see drift, staleness and cost as lines."
        with self._run(f"timeline of {self._kb}", "timeline", now, {_NOTE: note}) as run_id:
            return run_id

    @contextmanager
    def _run(self, title: str, role: str, now: datetime, tags: dict[str, str]) -> Iterator[str]:
        """Yield a run's id; it ends as finished, or as failed if the block raises."""
        run = self._client.create_run(
            self._experiment,
            start_time=_milliseconds(now),
            run_name=title,
            tags={ROLE: role, "driftline.kb": self._kb, **tags},
        )
        run_id = str(run.info.run_id)
        try:
            reach("tracking.opened")
            yield run_id
            reach("tracking.filled")
        except BaseException:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id)

    def _release_run(self, outcome: RefreshOutcome) -> str:
        """Return the run of the release that answers; one that was never written is written now."""
        sequence = str(outcome.published.sequence)
        for role in ("release", "promotion"):
            for run in self._found(role, "driftline.publication", sequence):
                if run.info.status == "FINISHED":
                    return str(run.info.run_id)
                self._supersede(run)
        return self.record_refresh(outcome)

    def _training_of(self, model: str, version: int) -> str:
        """Return the run that a version was registered by, "" if the registry does not say."""
        found = _unless_absent(lambda: self._client.get_model_version(model, str(version)))
        return str(found.run_id or "") if found else ""

    def _relate(self, run_id: str, other: str, *, instead_of: Sequence[str] = ()) -> None:
        """Let two runs name each other, in a tag and in a link of the description.

        A release goes on naming the check that it was published by, unless that is one of those
        that this check is `instead_of`. A run that is not there (any more) is not named.
        """
        mine, theirs = self._tags(run_id), self._tags(other)
        if mine is None or theirs is None:
            return
        self._name(run_id, mine, tag_of(theirs.get(ROLE, "")), other)
        back = tag_of(mine.get(ROLE, ""))
        if theirs.get(ROLE) != "release":
            self._name(other, theirs, back, run_id)
        elif theirs.get(back, "") in {"", *instead_of}:
            self._name(other, theirs, back, run_id)
            self._client.set_tag(other, _PARENT, run_id)

    def _name(self, run_id: str, tags: dict[str, str], tag: str, other: str) -> None:
        self._client.set_tag(run_id, tag, other)
        note = linked(tags.get(_NOTE, ""), {**tags, tag: other}, self._experiment)
        self._client.set_tag(run_id, _NOTE, note)

    def _tags(self, run_id: str) -> dict[str, str] | None:
        """Return a run's tags, None if there is no such run."""
        found = _unless_absent(lambda: self._client.get_run(run_id)) if run_id else None
        return dict(found.data.tags) if found else None

    def _found(self, role: str, tag: str, value: str) -> list[Any]:
        wanted = f"tags.`{tag}` = '{value}' and tags.`{ROLE}` = '{role}'"
        return list(self._client.search_runs([self._experiment], wanted))

    def _supersede(self, run: Any) -> None:
        """Take out of every view what a killed run left; nothing that was written is deleted."""
        self._client.set_tag(run.info.run_id, ROLE, "superseded")
        if run.info.status == "RUNNING":
            self._client.set_terminated(run.info.run_id, "KILLED")

    def _log(
        self,
        run_id: str,
        figures: Mapping[str, float],
        now: datetime,
        *,
        step: int = 0,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param

        moment = _milliseconds(now)
        metrics = [Metric(name, value, moment, step) for name, value in figures.items()]
        told = [Param(name, value) for name, value in (parameters or {}).items()]
        self._client.log_batch(run_id, metrics=metrics, params=told)

    def _log_table(self, run_id: str, name: str, rows: list[dict[str, Any]]) -> None:
        columns = {key: [_plain(row[key]) for row in rows] for key in (rows[0] if rows else {})}
        if columns:
            self._client.log_table(run_id, columns, artifact_file=name)


def _unless_absent(ask: Callable[[], Any]) -> Any | None:
    """Return what MLflow answers, None if it has nothing of that id."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        return None


def _plain(value: object) -> object:
    return str(value) if value is not None and not isinstance(value, bool | int | float) else value


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
