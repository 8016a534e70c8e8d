"""Measure drift between two snapshots of an index and decide: reads what changed, no more."""

from __future__ import annotations

from functools import partial

from flows.cost import retraining_cost
from flows.desk import Desk
from flows.steps import Perform
from monitors.drift import measure_drift, unmeasured
from monitors.pair import Outline, Pair, differ, pair_of
from monitors.policy import History, decide, undecidable
from monitors.records import Decision, DriftReport
from retrieval.errors import SnapshotMissingError
from retrieval.records import Snapshot
from retrieval.store import Index


def drift(
    desk: Desk, perform: Perform, reference: str, current: str, history: History
) -> tuple[DriftReport, Decision]:
    """Measure one snapshot against another and decide; writes nothing."""
    cost = retraining_cost(desk.journal, desk.name, desk.kb)
    old, new = Snapshot.parse(reference), Snapshot.parse(current)
    try:
        pair = perform(
            f"Reading what changed since {reference}", lambda _: read_pair(desk.index, old, new)
        )
    except SnapshotMissingError:
        if reference != desk.release().release.trained_on or not desk.index.holds(new):
            raise
        return unmeasured(reference, current), undecidable(_missing(desk, reference), cost=cost)
    report = perform(
        f"Measuring drift since {reference}",
        lambda _: measure_drift(
            pair,
            reference_name=reference,
            current_name=current,
            thresholds=desk.kb.thresholds(),
        ),
    )
    policy = desk.kb.retrain_policy()
    return report, decide(report, policy, history, now=desk.now, cost=cost)


def _missing(desk: Desk, reference: str) -> str:
    return (
        f"{reference}, which the champion was trained on, is no longer in the index, so nothing "
        f"can be measured from it; `driftline retrain {desk.name}` makes a new reference"
    )


def read_pair(index: Index, reference: Snapshot, current: Snapshot) -> Pair:
    """Read two outlines, and then the text and the vectors of what differs between them."""
    old, new = _outline(index, reference), _outline(index, current)
    difference = differ(old, new)
    # Vectors of two embedders say nothing about each other.
    comparable = index.recipe(reference).embedder == index.recipe(current).embedder
    read = partial(index.chunk_table, vectors=comparable)
    return pair_of(
        old,
        new,
        difference,
        before=read(reference, uris=difference.before),
        now=read(current, uris=difference.now),
        steady=read(current, uris=difference.sampled),
        nearest=partial(index.best_cosines, reference) if comparable else None,
        search_reference=partial(index.best_texts, reference),
        search_current=partial(index.best_texts, current),
    )


def _outline(index: Index, snapshot: Snapshot) -> Outline:
    read = index.outline(snapshot)
    return Outline(read.documents, read.chunks)
