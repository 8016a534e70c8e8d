"""The window people look through: MLflow runs of one knowledge base.

An experiment per knowledge base; one run a check, its trainings as children; one long-lived
timeline run whose steps are the check numbers, so that drift over time is a line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import cards
from flows.model_cards import promotion_card
from flows.records import Check, RefreshOutcome
from flows.release import Published
from flows.training_tracking import TrainingRun
from monitors.records import DriftReport

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOTE = "mlflow.note.content"
_PARENT = "mlflow.parentRunId"
_ROLE = "driftline.role"
_LEVELS = {"none": 0, "watch": 1, "retrain": 2, "blocked": -1}


class Tracker:
    """Writes runs for one knowledge base; opens MLflow on first use."""

    def __init__(self, tracking_uri: str, kb: str, home: Path) -> None:
        self._uri, self._kb, self._home = tracking_uri, kb, home

    @cached_property
    def _client(self) -> MlflowClient:
        # An import of seconds, and no telemetry from a tool that runs unattended.
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        return MlflowClient(self._uri)

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
        tags = {_NOTE: f"Everything Driftline saw, decided and trained for `{self._kb}`."}
        return str(self._client.create_experiment(name, artifact_location=location, tags=tags))

    def record_check(self, check: Check, now: datetime) -> str:
        """Write one run for a check and one step of the timeline; return the run's id."""
        release = check.refresh.published.release
        title = f"{cards.check_title(check)}, {now:%Y-%m-%d %H:%M}"
        tags = {
            "driftline.release": release.id,
            "driftline.snapshot": release.snapshot,
            "driftline.reference": check.report.reference,
            "driftline.champion": str(release.model_version),
            "driftline.action": check.decision.action.value,
            "driftline.reason": check.decision.reason,
            _NOTE: cards.check_card(check),
        }
        with self._run(title, "check", now, tags) as run_id:
            metrics = _check_metrics(check)
            self._log_metrics(run_id, metrics, now, step=check.number)
            for name, rows in _check_tables(check.report).items():
                self._log_table(run_id, name, rows)
            if check.page is not None:
                self._client.log_artifact(run_id, str(check.page), "report")
        self._log_metrics(self._timeline(now), metrics, now, step=check.number)
        return run_id

    def record_blocked(self, code: str, reason: str, now: datetime) -> None:
        """Write one run for a check that a guard or a missing part stopped."""
        tags = {
            "driftline.action": "blocked",
            "driftline.code": code,
            "driftline.reason": reason,
            _NOTE: f"## blocked\n{cards.escape(reason)}\n\nThe old release keeps answering.",
        }
        with self._run(f"blocked: {code}, {now:%Y-%m-%d %H:%M}", "check", now, tags):
            pass

    def record_refresh(self, outcome: RefreshOutcome) -> None:
        """Write one run for a refresh by hand that published a release."""
        published = outcome.published
        tags = {
            "driftline.release": published.release.id,
            "driftline.snapshot": published.release.snapshot,
            "driftline.reason": published.reason,
            _NOTE: cards.refresh_card(outcome),
        }
        title = f"refresh: {published.reason}, {published.time:%Y-%m-%d %H:%M}"
        with self._run(title, "refresh", published.time, tags) as run_id:
            self._log_metrics(run_id, _refresh_metrics(outcome), published.time)

    def record_promotion(self, published: Published) -> None:
        """Write one run for a promotion."""
        release, time = published.release, published.time
        tags = {
            "driftline.release": release.id,
            "driftline.champion": str(release.model_version),
            "driftline.reason": published.reason,
            _NOTE: promotion_card(published),
        }
        title = f"{published.kind}: version {release.model_version}, {time:%Y-%m-%d %H:%M}"
        with self._run(title, "promotion", time, tags):
            pass

    @contextmanager
    def model_run(self, title: str, now: datetime) -> Iterator[TrainingRun]:
        """Yield a run to hold a model that was not trained here."""
        with self._run(title, "model", now, {}) as run_id:
            yield TrainingRun(self._client, run_id, now)

    @contextmanager
    def training_run(
        self, title: str, now: datetime, *, key: str, parent: str
    ) -> Iterator[TrainingRun]:
        """Yield the run of a training; earlier ones that were killed are marked so.

        The caller holds the training lease, so a training that is still running is not alive.
        """
        unfinished = f"tags.`{_ROLE}` = 'training' and attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._experiment], unfinished):
            self._client.set_terminated(run.info.run_id, "KILLED")
        tags = {"driftline.key": key} | ({_PARENT: parent} if parent else {})
        with self._run(title, "training", now, tags) as run_id:
            yield TrainingRun(self._client, run_id, now)

    def _timeline(self, now: datetime) -> str:
        """Return the id of the one run whose metrics are lines over the checks."""
        found = self._client.search_runs(
            [self._experiment], f"tags.`{_ROLE}` = 'timeline'", max_results=1
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
            tags={_ROLE: role, "driftline.kb": self._kb, **tags},
        )
        run_id = str(run.info.run_id)
        try:
            yield run_id
        except BaseException:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id)

    def _log_metrics(
        self, run_id: str, metrics: dict[str, float], now: datetime, step: int = 0
    ) -> None:
        from mlflow.entities import Metric

        moment = _milliseconds(now)
        logged = [Metric(name, value, moment, step) for name, value in metrics.items()]
        self._client.log_batch(run_id, metrics=logged)

    def _log_table(self, run_id: str, name: str, rows: list[dict[str, Any]]) -> None:
        columns = {key: [_plain(row[key]) for row in rows] for key in (rows[0] if rows else {})}
        if columns:
            self._client.log_table(run_id, columns, artifact_file=name)


def _check_metrics(check: Check) -> dict[str, float]:
    cost = check.decision.cost
    known = {} if cost is None or cost.seconds is None else {"decision/cost_seconds": cost.seconds}
    return {
        **_drift_metrics(check.report),
        **known,
        "decision/level": _LEVELS[check.decision.action.value],
        "decision/champion_version": check.refresh.published.release.model_version,
        **_refresh_metrics(check.refresh),
    }


def _drift_metrics(report: DriftReport) -> dict[str, float]:
    """Return what was measured: a check that could not measure leaves a gap, never a zero."""
    if not report.signals:
        return {}
    measured = {
        f"drift/{signal.name}{part}": value
        for signal in report.signals
        for part, value in (("", signal.score), ("_low", signal.low), ("_high", signal.high))
    }
    measured["drift/triage_cured"] = report.triage.cured if report.triage else None
    return {
        "drift/staleness": report.staleness,
        "drift/staleness_low": report.staleness_low,
        "drift/staleness_high": report.staleness_high,
        "drift/edits": report.edits_found,
        "drift/housekeeping_documents": sum(len(each.uris) for each in report.housekeeping),
        **{name: value for name, value in measured.items() if value is not None},
    }


def _check_tables(report: DriftReport) -> dict[str, list[dict[str, Any]]]:
    words = [("came", word) for word in report.words_came]
    words += [("went", word) for word in report.words_went]
    return {
        "signals.json": [asdict(signal) for signal in report.signals],
        "documents.json": [asdict(document) for document in report.documents],
        "parts.json": [asdict(part) for part in report.parts],
        "edits.json": [asdict(edit) for edit in report.edits],
        "words.json": [{"change": change, **asdict(word)} for change, word in words],
    }


def _refresh_metrics(outcome: RefreshOutcome) -> dict[str, float]:
    done, plan = outcome.refreshed, outcome.plan
    return {
        "index/documents": done.documents,
        "index/chunks": done.chunks,
        "refresh/added": len(plan.added),
        "refresh/edited": len(plan.edited),
        "refresh/removed": len(plan.removed),
        "refresh/refused": len(plan.refused),
        "refresh/embedded": done.embedded,
        "refresh/reused": done.reused,
        "refresh/seconds": done.seconds,
    }


def _plain(value: object) -> object:
    return str(value) if value is not None and not isinstance(value, bool | int | float) else value


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
