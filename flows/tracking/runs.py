"""The window people look through: MLflow runs of one knowledge base, linked to one another.

An experiment per knowledge base; one run a check, the release that it published and the trainings
that it asked for as children; one long-lived timeline run whose steps are the check numbers, so
that drift over time is a line.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.failpoints import reach
from flows.journal.holders import myself, write_holder
from flows.reaching import require_tracking
from flows.records import Check, RefreshOutcome
from flows.release import Published
from flows.tracking import cards
from flows.tracking.known_runs import PARENT, KnownRuns
from flows.tracking.model_cards import promotion_card
from flows.tracking.run_figures import (
    Counted,
    blocked_answers,
    check_answers,
    check_figures,
    check_parameters,
    check_tables,
    counted_figures,
    late_release_answers,
    promotion_answers,
    refresh_figures,
    release_answers,
)
from flows.tracking.run_links import PROCESS, ROLE, run_page, tag_of
from flows.tracking.run_views import SHARED, VIEWS, experiment_note
from flows.tracking.training_runs import TrainingRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOTE = "mlflow.note.content"
_MODEL = "model"  # where the registry puts one among a run's artifacts


class Tracker:
    """Writes runs for one knowledge base; opens MLflow on first use."""

    def __init__(self, tracking_uri: str, kb: str, home: Path) -> None:
        self._uri, self._kb, self._home = tracking_uri, kb, home

    @cached_property
    def _client(self) -> MlflowClient:
        # An import of seconds, and no telemetry from a tool that runs unattended.
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        require_tracking(self._uri)
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

    @cached_property
    def known(self) -> KnownRuns:
        """The runs that are there."""
        return KnownRuns(self._client, self._experiment)

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
        killed = self.known.found("check", "driftline.number", str(number))
        for run in killed:
            self.known.supersede(run)
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
            self.known.relate(run_id, published, instead_of=[run.info.run_id for run in killed])
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
            **_of_release(published),
            **release_answers(outcome),
            _NOTE: cards.refresh_card(outcome),
        }
        title = f"release: {published.reason}, {published.time:%Y-%m-%d %H:%M}"
        with self._run(title, "release", published.time, tags) as run_id:
            self._log(run_id, refresh_figures(outcome), published.time)
        return run_id

    def record_release(self, published: Published, counted: Counted | None) -> str:
        """Write one run for a release whose own process died first; return the run's id."""
        tags = {
            **_of_release(published),
            **late_release_answers(published, counted),
            _NOTE: cards.late_release_card(published),
        }
        self.known.make_way("release", published)
        title = f"release: {published.reason}, {published.time:%Y-%m-%d %H:%M}"
        with self._run(title, "release", published.time, tags) as run_id:
            self._log(run_id, counted_figures(counted), published.time)
        return run_id

    def record_promotion(self, published: Published) -> None:
        """Write one run for a promotion, linked to the training of the version that answers."""
        release, time = published.release, published.time
        if self.known.make_way("promotion", published):
            return
        training = self.known.training_of(release.model_name, release.model_version)
        trained = self.known.tags(training) or {}
        nested = {PARENT: training} if trained.get(ROLE) == "training" else {}
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
            self.known.relate(run_id, training)
            self.known.relate(run_id, trained.get(tag_of("check"), ""))

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
        tags = {"driftline.key": key} | ({PARENT: parent} if parent else {})
        with self._run(title, "training", now, tags) as run_id:
            self.known.relate(run_id, parent)
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
            tags={ROLE: role, PROCESS: write_holder(myself()), "driftline.kb": self._kb, **tags},
        )
        run_id = str(run.info.run_id)
        try:
            reach("tracking.opened")
            yield run_id
            reach("tracking.filled")
        except BaseException as error:
            # On a full disk half a model is of no use to anybody, and takes what others need.
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                self.known.remove_upload(run_id, _MODEL)
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id)

    def _release_run(self, outcome: RefreshOutcome) -> str:
        """Return the run of the release that answers; one that was never written is written now."""
        sequence = str(outcome.published.sequence)
        for role in ("release", "promotion"):
            for run in self.known.found(role, "driftline.publication", sequence):
                if run.info.status == "FINISHED":
                    return str(run.info.run_id)
                self.known.supersede(run)
        return self.record_refresh(outcome)

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


def _of_release(published: Published) -> dict[str, str]:
    """Return the tags that tell which publication a run is about."""
    release = published.release
    return {
        "driftline.publication": str(published.sequence),
        "driftline.release": release.id,
        "driftline.snapshot": release.snapshot,
        "driftline.champion": str(release.model_version),
        "driftline.reason": published.reason,
    }


def _plain(value: object) -> object:
    return str(value) if value is not None and not isinstance(value, bool | int | float) else value


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
