"""Measure drift between two snapshots of an index and decide: reads what changed, no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flows.checking.changes import Comparison, read_changes
from flows.checking.cost import retraining_cost
from flows.checking.kept_report import MEASURED, KeptReport, keep, key_of, read_kept
from flows.checking.samples import Tests, take_questions, take_tests
from flows.checking.schedules import Schedule, keep_null, keep_schedule
from flows.checking.surprise import measure_surprise
from flows.desk import Desk
from flows.journal.journal import Fence
from flows.release import Release
from flows.steps import Perform
from monitors.decision.policy import History, decide, undecidable
from monitors.drift import measure_drift, unmeasured
from monitors.records import Action, Decision, DriftReport, Signal
from monitors.sampling.schedule import OwnNull
from retrieval.errors import SnapshotMissingError
from retrieval.records import Snapshot


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured and decided, and the schedules as they stand once this counts.

    `null` is the false-alarm rate of the test for new topics, where it was played just now; `kept`
    is what the next check may take from this one.
    """

    report: DriftReport
    decision: Decision
    schedules: tuple[Schedule, ...] = ()
    null: OwnNull | None = None
    kept: KeptReport | None = None


def drift(desk: Desk, perform: Perform, reference: str, current: str, history: History) -> Measured:
    """Measure one snapshot against another and decide; writes nothing."""
    try:
        seen = _read(desk, perform, reference, current)
    except SnapshotMissingError:
        if reference != desk.release().release.trained_on:
            raise
        return _undecided(desk, reference, current)
    tests = _take_tests(desk, perform, seen, reference, play=False)
    report = _with(_measure(desk, perform, seen, tests, (reference, current)), tests.signals)
    return Measured(report, _decide(desk, report, history))


def check_drift(desk: Desk, perform: Perform, release: Release, history: History) -> Measured:
    """Measure what answers against what its model was trained on, and decide.

    What the last check measured of the same two is taken from it. Once for each reference the test
    for new topics is played on the reference's own documents; and where drift is told, the champion
    itself is asked, after the decision, which that does not change.
    """
    sides = reference, current = release.trained_on, release.snapshot
    key = key_of(release, desk.kb.thresholds())
    kept, seen = read_kept(desk.folder / MEASURED, key), None
    try:
        if kept is None:
            seen = _read(desk, perform, reference, current)
            tests = _take_tests(desk, perform, seen, reference, play=True)
            kept = KeptReport(key, _measure(desk, perform, seen, tests, sides))
        else:
            tests = take_questions(desk, reference)
        report = _with(kept.report, tests.signals)
        decision = _decide(desk, report, history)
        told = decision.action in {Action.WATCH, Action.RETRAIN}
        # What could not be measured is asked for again: the cure may have come since.
        if told and (kept.surprise is None or kept.surprise.score is None):
            seen = seen or _read(desk, perform, reference, current)
            kept = replace(kept, surprise=_surprise(desk, perform, seen))
    except SnapshotMissingError:
        return _undecided(desk, reference, current)
    report = _with(report, (kept.surprise,) if told and kept.surprise else ())
    return Measured(report, decision, tests.schedules, tests.null, kept)


def _read(desk: Desk, perform: Perform, reference: str, current: str) -> Comparison:
    old, new = Snapshot.parse(reference), Snapshot.parse(current)
    return perform(
        f"Reading what changed since {reference}", lambda _: read_changes(desk.index, old, new)
    )


def _take_tests(
    desk: Desk, perform: Perform, seen: Comparison, reference: str, *, play: bool
) -> Tests:
    return perform(
        "Testing what came in", lambda _: take_tests(desk, seen.pair, reference, play=play)
    )


def _measure(
    desk: Desk, perform: Perform, seen: Comparison, tests: Tests, sides: tuple[str, str]
) -> DriftReport:
    reference, current = sides
    return perform(
        f"Measuring drift since {reference}",
        lambda _: measure_drift(
            seen.pair,
            reference_name=reference,
            current_name=current,
            thresholds=desk.kb.thresholds(),
            topic=tests.topic,
        ),
    )


def _decide(desk: Desk, report: DriftReport, history: History) -> Decision:
    cost = retraining_cost(desk.journal, desk.name, desk.kb)
    return decide(report, desk.kb.retrain_policy(), history, now=desk.now, cost=cost)


def _surprise(desk: Desk, perform: Perform, seen: Comparison) -> Signal:
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
    return surprised.signal


def _with(report: DriftReport, signals: tuple[Signal, ...]) -> DriftReport:
    return replace(report, signals=(*report.signals, *signals))


def _undecided(desk: Desk, reference: str, current: str) -> Measured:
    """Return the decision where the reference is gone; raise where it is the current side."""
    desk.index.recipe(Snapshot.parse(current))  # raises, in words, where that side is gone
    reason = (
        f"{reference}, which the champion was trained on, is no longer in the index, so nothing "
        f"can be measured from it; `driftline retrain {desk.name}` makes a new reference"
    )
    cost = retraining_cost(desk.journal, desk.name, desk.kb)
    return Measured(unmeasured(reference, current), undecidable(reason, cost=cost))


def remember(desk: Desk, measured: Measured, fence: Fence) -> None:
    """Remember what the tests of a check spent, and last what was measured.

    A run that is killed between measures again, and takes the same look at the same content.
    """
    journal, reference = desk.journal, measured.report.reference
    for schedule in measured.schedules:
        keep_schedule(journal, desk.name, schedule, time=desk.now, fence=fence)
    if measured.null is not None:
        keep_null(journal, desk.name, reference, measured.null, time=desk.now, fence=fence)
    if measured.kept is not None:
        keep(desk.folder / MEASURED, measured.kept)
