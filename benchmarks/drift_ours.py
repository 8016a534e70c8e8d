"""Pairs of releases as Driftline measures and judges them: like `driftline compare`, text only."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
from drift_archive import ReleasePair, Tables
from drift_scores import Judged

from monitors.asking.full_text import search_in
from monitors.calibration import Coefficients, Features, Labelled, estimate, fit
from monitors.decision.policy import History, RetrainPolicy, decide
from monitors.drift import measure_drift
from monitors.pair import Search, pair_of_tables
from monitors.records import Action, DriftReport
from monitors.sampling.incoming import SINGLE, measure_topic
from monitors.signals import shingles, staleness


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: the report, what the estimate is made of, and what both cost."""

    pair: ReleasePair
    report: DriftReport
    features: Features
    cpu_seconds: float


def measure(tables: Tables, pair: ReleasePair) -> Measured:
    """Measure a pair. Its tables are read before the clock starts.

    What the estimate is made of stands in no report, so it is measured again, beside the clock.
    Raises RuntimeError if the product makes another estimate of it.
    """
    old, new = tables.read(pair.reference), tables.read(pair.current)
    began = time.process_time()
    both = pair_of_tables(old, new, search_reference=_search(old), search_current=_search(new))
    report = measure_drift(
        both,
        reference_name=pair.reference.version,
        current_name=pair.current.version,
        topic=measure_topic(both, SINGLE),
    )
    cpu_seconds = time.process_time() - began
    rest = both.without({uri for each in report.housekeeping for uri in each.uris})
    features = Features(shingles.measure(rest).share, staleness.measure(rest))
    if estimate(features).share != report.staleness:
        msg = f"The estimate of {pair} is {estimate(features)}, the report says {report.staleness}."
        raise RuntimeError(msg)
    return Measured(pair, report, features, cpu_seconds)


def judge(found: Iterable[Measured], fitted: Coefficients) -> list[Judged]:
    """Estimate staleness by these coefficients, and let the default policy decide."""
    return [
        Judged(each.pair, share, _decided(replace(each.report, staleness=share)))
        for each in found
        for share in [estimate(each.features, fitted).share]
    ]


def judge_unfitted(found: Sequence[Measured]) -> list[Judged]:
    """Judge each project's pairs by what was fitted on the other projects."""
    return [
        judged
        for project in sorted({each.pair.project for each in found})
        for judged in judge(
            (each for each in found if each.pair.project == project),
            fit_without(project, found),
        )
    ]


def fit_without(project: str, found: Iterable[Measured]) -> Coefficients:
    """Fit on the pairs of all projects but one."""
    return fit(
        Labelled(each.features, each.pair.stale) for each in found if each.pair.project != project
    )


def _decided(report: DriftReport) -> Action:
    return decide(report, RetrainPolicy(), History(), now=datetime.now(UTC)).action


def _search(table: pa.Table) -> Search:
    return search_in(table["text"].to_pylist())
