"""Measure drift between two snapshots of an index and decide: reads what changed, no more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from flows.cost import retraining_cost
from flows.desk import Desk
from flows.journal import Fence, Journal
from flows.samples import take_tests
from flows.schedules import Schedule, keep_null, keep_schedule
from flows.steps import Perform
from flows.surprise import measure_surprise
from monitors.asking.searches import remembered, search_anew
from monitors.decision.policy import History, decide, undecidable
from monitors.drift import measure_drift, unmeasured
from monitors.pair import Outline, Pair, differ, pair_of
from monitors.records import Action, Decision, DriftReport
from monitors.sampling.schedule import OwnNull
from retrieval.errors import SnapshotMissingError
from retrieval.records import Snapshot
from retrieval.store import Index


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two snapshots as the detectors read them, and the chunk tables that this was made of.

    `before` has the documents that were edited or are gone as they were, `now` those that are new
    or edited, `steady` a sample of those that are the same.
    """

    pair: Pair
    before: pa.Table
    now: pa.Table
    steady: pa.Table


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured and decided, and the schedules as they stand once this counts.

    `null` is the false-alarm rate of the test for new topics, where it was played just now.
    """

    report: DriftReport
    decision: Decision
    schedules: tuple[Schedule, ...] = ()
    null: OwnNull | None = None


def drift(
    desk: Desk,
    perform: Perform,
    reference: str,
    current: str,
    history: History,
    *,
    thorough: bool = False,
) -> Measured:
    """Measure one snapshot against another and decide; writes nothing that another run relies on.

    A `thorough` measurement also plays the test for new topics on the reference's own documents,
    once for each reference, and asks the champion itself where drift is told.
    """
    cost = retraining_cost(desk.journal, desk.name, desk.kb)
    old, new = Snapshot.parse(reference), Snapshot.parse(current)
    try:
        seen = perform(
            f"Reading what changed since {reference}", lambda _: read_changes(desk.index, old, new)
        )
    except SnapshotMissingError:
        if reference != desk.release().release.trained_on or not desk.index.holds(new):
            raise
        decision = undecidable(_missing(desk, reference), cost=cost)
        return Measured(unmeasured(reference, current), decision)
    samples = perform(
        "Testing what came in",
        lambda _: take_tests(desk, seen.pair, reference, play=thorough),
    )
    report = perform(
        f"Measuring drift since {reference}",
        lambda _: measure_drift(
            seen.pair,
            reference_name=reference,
            current_name=current,
            thresholds=desk.kb.thresholds(),
            topic=samples.topic,
            samples=samples.signals,
        ),
    )
    decision = decide(report, desk.kb.retrain_policy(), history, now=desk.now, cost=cost)
    if thorough and decision.action in {Action.WATCH, Action.RETRAIN}:
        report = _with_surprise(desk, perform, seen, report)
    return Measured(report, decision, samples.schedules, samples.null)


def _with_surprise(
    desk: Desk, perform: Perform, seen: Comparison, report: DriftReport
) -> DriftReport:
    """Ask the model that serves, after the decision: what it says is told and decides nothing."""
    surprised = measure_surprise(
        desk,
        perform,
        desk.release().release,
        before=seen.before,
        now=seen.now,
        steady=seen.steady,
        known=seen.pair.reference_digests,
        most=desk.kb.surprise.passages,
    )
    return replace(report, signals=(*report.signals, surprised.signal))


def keep_tests(
    journal: Journal, kb: str, reference: str, measured: Measured, *, time: datetime, fence: Fence
) -> None:
    """Remember what the tests of a check spent, and the false-alarm rate if it was played."""
    for schedule in measured.schedules:
        keep_schedule(journal, kb, schedule, time=time, fence=fence)
    if measured.null is not None:
        keep_null(journal, kb, reference, measured.null, time=time, fence=fence)


def read_pair(index: Index, reference: Snapshot, current: Snapshot) -> Pair:
    """Return two snapshots as the detectors read them."""
    return read_changes(index, reference, current).pair


def read_changes(index: Index, reference: Snapshot, current: Snapshot) -> Comparison:
    """Read two outlines, and then the text and the vectors of what differs between them."""
    old, new = _outline(index, reference), _outline(index, current)
    difference = differ(old, new)
    # Vectors of two embedders say nothing about each other.
    comparable = index.recipe(reference).embedder == index.recipe(current).embedder
    read = partial(index.chunk_table, vectors=comparable)
    before = read(reference, uris=difference.before)
    now = read(current, uris=difference.now)
    steady = read(current, uris=difference.sampled)
    was, said, kept = (table["text"].to_pylist() for table in (before, now, steady))
    search = remembered(partial(index.best_texts, reference))
    pair = pair_of(
        old,
        new,
        difference,
        before=before,
        now=now,
        steady=steady,
        nearest=partial(index.best_cosines, reference) if comparable else None,
        search_reference=search,
        search_current=search_anew(search, gone=set(was) - set(said), now=[*said, *kept]),
    )
    return Comparison(pair, before, now, steady)


def _outline(index: Index, snapshot: Snapshot) -> Outline:
    read = index.outline(snapshot)
    return Outline(read.documents, read.chunks)


def _missing(desk: Desk, reference: str) -> str:
    return (
        f"{reference}, which the champion was trained on, is no longer in the index, so nothing "
        f"can be measured from it; `driftline retrain {desk.name}` makes a new reference"
    )
