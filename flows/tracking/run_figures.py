"""A check, a release, a weighing in figures, tables and four answers, as MLflow keeps them. Pure.

Every run answers the same four questions in tags of the same names, so that runs of any kind stand
side by side: what moved, what was decided, what it cost, did it help?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from flows.records import Check, RefreshOutcome, Weighed
from flows.release import Published
from flows.tracking.model_cards import MEASURES, Measure
from monitors.decision.reasons import figure
from monitors.records import Cost, DriftReport
from monitors.wording import describe
from training.weighing import Evaluation

MOVED, DECIDED, COST, HELPED = (
    f"driftline.{word}" for word in ("moved", "decided", "cost", "helped")
)
ANSWERS = (MOVED, DECIDED, COST, HELPED)

_DIGITS = 4
_LEVELS = {"none": 0, "watch": 1, "retrain": 2, "blocked": -1}
# What a person asks of a challenger first; the other measures are in the weighing's table.
_HELPED = ("f1", "new", "learning")


@dataclass(frozen=True, slots=True)
class Counted:
    """What the journal keeps of a refresh, for a run that is written after its process died."""

    documents: int
    chunks: int
    embedded: int
    reused: int
    added: int
    edited: int
    removed: int
    refused: int

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Return what a `refresh` entry of the journal counts."""
        told = {name: payload[name] for name in ("documents", "chunks", "embedded", "reused")}
        listed = ("added", "edited", "removed", "refused")
        return cls(**told, **{name: len(payload[name]) for name in listed})


def check_answers(check: Check) -> dict[str, str]:
    """Return what moved, what was decided, what it cost and whether the index has cured it."""
    report, decision = check.report, check.decision
    moved = describe(report.documents)
    # What moved has a tag of its own; here it is why that was enough, or not.
    first = decision.reason.partition(". ")[0].replace(f": {moved}", "")
    waits = ", waits for a person" if decision.needs_approval else ""
    helped = ""
    if report.triage and report.triage.stale_probes:
        cured = figure(report.triage.cured, 1)
        helped = f"the refreshed index answers {cured} of the stale questions"
    return {
        MOVED: moved if report.signals else "not measured",
        DECIDED: f"{decision.action.value}{waits}: {first}",
        COST: "; ".join(filter(None, [_refresh_cost(check.refresh), _retrain_cost(decision.cost)])),
        HELPED: helped,
    }


def release_answers(outcome: RefreshOutcome) -> dict[str, str]:
    """Return what moved, that it was published, and what that cost."""
    published = outcome.published
    return {
        MOVED: published.reason,
        DECIDED: f"{published.kind}: release {published.release.id} answers",
        COST: _refresh_cost(outcome),
        HELPED: "",
    }


def late_release_answers(published: Published, counted: Counted | None) -> dict[str, str]:
    """Return the answers of a release whose run is written by a later one."""
    cost = "not known" if counted is None else f"{counted.embedded:,} chunks embedded"
    return {
        MOVED: published.reason,
        DECIDED: f"{published.kind}: release {published.release.id} answers",
        COST: cost,
        HELPED: "",
    }


def weighing_answers(weighed: Weighed) -> dict[str, str]:
    """Return what was decided on a challenger, what it cost, and what it is better or worse at."""
    verdict, adapter = weighed.verdict, weighed.adapter
    seconds = adapter.seconds + weighed.evaluation.seconds
    return {
        DECIDED: f"{'promote' if verdict.promote else 'do not promote'}: {verdict.reason}",
        COST: f"{seconds:,.0f} s to train and to weigh, {adapter.tokens:,} tokens",
        HELPED: _helped(weighed.evaluation),
    }


def promotion_answers(published: Published, training: dict[str, str]) -> dict[str, str]:
    """Return what was decided; what it cost and whether it helped are the training's own words."""
    version = published.release.model_version
    said = {name: training.get(name, "") for name in ANSWERS}
    return {**said, DECIDED: f"{published.kind}: version {version} answers, {published.reason}"}


def blocked_answers(code: str, reason: str) -> dict[str, str]:
    """Return that nothing was decided, and why."""
    nothing = "nothing: the old release keeps answering"
    return {MOVED: "not measured", DECIDED: f"blocked: {code}, {reason}", COST: nothing, HELPED: ""}


def check_figures(check: Check) -> dict[str, float]:
    """Return every metric of a check; the same names in its run and in the timeline."""
    cost = check.decision.cost
    known = {} if cost is None or cost.seconds is None else {"decision/cost_seconds": cost.seconds}
    return {
        **_drift_figures(check.report),
        **known,
        "decision/level": _LEVELS[check.decision.action.value],
        "decision/champion_version": check.refresh.published.release.model_version,
        **refresh_figures(check.refresh),
    }


def check_parameters(check: Check) -> dict[str, str]:
    """Return what a check was about, so that two checks side by side begin with it."""
    release = check.refresh.published.release
    return {
        "check": str(check.number),
        "action": check.decision.action.value,
        "reference": check.report.reference,
        "current": check.report.current,
        "release": release.id,
        "champion_version": str(release.model_version),
    }


def check_tables(report: DriftReport) -> dict[str, list[dict[str, Any]]]:
    """Return the tables behind a check, by file name."""
    words = [("came", word) for word in report.words_came]
    words += [("went", word) for word in report.words_went]
    return {
        "signals.json": [asdict(signal) for signal in report.signals],
        "documents.json": [asdict(document) for document in report.documents],
        "parts.json": [asdict(part) for part in report.parts],
        "edits.json": [asdict(edit) for edit in report.edits],
        "words.json": [{"change": change, **asdict(word)} for change, word in words],
    }


def refresh_figures(outcome: RefreshOutcome) -> dict[str, float]:
    """Return every metric of a refresh."""
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


def counted_figures(counted: Counted | None) -> dict[str, float]:
    """Return the metrics of a refresh that the journal knows: all but its seconds."""
    if counted is None:
        return {}
    return {
        f"{'index' if name in {'documents', 'chunks'} else 'refresh'}/{name}": float(count)
        for name, count in asdict(counted).items()
    }


def helped_figures(weighed: Weighed) -> dict[str, float]:
    """Return whether a retraining helped, for the timeline: what it cost beside what it changed."""
    changes = {
        f"helped/{name}_change": change.change.mean
        for name, change in weighed.evaluation.measures
        if name in _HELPED and change.rows
    }
    return {
        **changes,
        "helped/promoted": float(weighed.verdict.promote),
        "cost/training_seconds": weighed.adapter.seconds + weighed.evaluation.seconds,
        "cost/training_tokens": float(weighed.adapter.tokens),
    }


def _drift_figures(report: DriftReport) -> dict[str, float]:
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
        "drift/staleness": round(report.staleness, _DIGITS),
        "drift/staleness_low": round(report.staleness_low, _DIGITS),
        "drift/staleness_high": round(report.staleness_high, _DIGITS),
        "drift/edits": report.edits_found,
        "drift/housekeeping_documents": sum(len(each.uris) for each in report.housekeeping),
        # Pages show as many digits as there are; a share is known to far fewer.
        **{name: round(value, _DIGITS) for name, value in measured.items() if value is not None},
    }


def _refresh_cost(outcome: RefreshOutcome) -> str:
    done = outcome.refreshed
    return f"{done.seconds:,.1f} s to refresh, {done.embedded:,} chunks embedded"


def _retrain_cost(cost: Cost | None) -> str:
    if cost is None or cost.seconds is None:
        return ""
    money = "" if cost.money is None else f", {cost.money:,.2f} {cost.currency}"
    return f"a retraining would cost {cost.seconds:,.0f} s{money}"


def _helped(evaluation: Evaluation) -> str:
    """Say what a challenger is better or worse at; "" where nothing was weighed."""
    return "; ".join(
        f"{MEASURES[name].label} {_changed(MEASURES[name], change.change.mean)}"
        for name, change in evaluation.measures
        if name in _HELPED and change.rows
    )


def _changed(measure: Measure, mean: float) -> str:
    """Write a change for people.

    >>> _changed(MEASURES["new"], -0.164), _changed(MEASURES["f1"], 0.31)
    ('-16.4 %', '+0.310')
    """
    return f"{100 * mean:+.1f} %" if measure.relative else f"{mean:+.3f}"
