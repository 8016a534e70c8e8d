"""Every branch of the decision, and both sides of every limit."""

from datetime import UTC, datetime, timedelta

import pytest

from monitors.policy import History, Mode, RetrainPolicy, decide
from monitors.records import Action, ChangeKind, Decision, DocumentDrift, DriftReport, Signal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = RetrainPolicy()


def report(unseen: float | None, *, changed: float = 0.5, chunks: int = 100) -> DriftReport:
    return DriftReport(
        reference="docs@1",
        current="docs@2",
        staleness=0.0,
        signals=(
            Signal("unseen_shingles", unseen, 0.15, drifted=(unseen or 0) >= 0.15, reason=""),
            Signal("changed_chunks", changed, 0.20, drifted=changed >= 0.20, reason=""),
            Signal("novelty", None, 0.05, drifted=False, reason=""),
        ),
        documents=(
            DocumentDrift("notes/news.md", 0.75, ChangeKind.EDITED),
            DocumentDrift("api/new.md", 0.25, ChangeKind.NEW),
        ),
        reference_chunks=chunks,
        current_chunks=chunks,
    )


def decision(
    seen: DriftReport, policy: RetrainPolicy = POLICY, history: History | None = None
) -> Decision:
    return decide(seen, policy, history or History(), now=NOW)


@pytest.mark.parametrize(
    ("unseen", "action"),
    [
        (0.0, Action.NONE),
        (0.0499, Action.NONE),
        (0.05, Action.WATCH),
        (0.1499, Action.WATCH),
        (0.15, Action.RETRAIN),
        (1.0, Action.RETRAIN),
    ],
)
def test_the_level_of_unseen_text_decides(unseen: float, action: Action):
    assert decision(report(unseen)).action is action


def test_a_retraining_is_justified_by_the_documents_behind_it():
    reason = decision(report(0.21)).reason

    assert reason == (
        "unseen text 0.210 is over 0.15, with changed chunks 0.50: "
        "2 documents, of which notes/news.md carries 75 %, api/new.md 25 %; 75 % is under notes/"
    )


def test_the_limit_itself_is_not_called_over():
    assert "at the limit of 0.15" in decision(report(0.15)).reason


def test_one_signal_alone_does_not_retrain():
    alone = decision(report(0.4, changed=0.1))

    assert alone.action is Action.WATCH
    assert "too few other signals agree" in alone.reason
    assert "novelty not measured" in alone.reason


def test_one_signal_alone_retrains_where_the_policy_says_so():
    policy = RetrainPolicy(agreeing=0)

    assert decision(report(0.4, changed=0.1), policy).action is Action.RETRAIN


@pytest.mark.parametrize(("chunks", "action"), [(7, Action.NONE), (8, Action.RETRAIN)])
def test_too_little_text_is_not_judged(chunks: int, action: Action):
    decided = decision(report(0.5, chunks=chunks))

    assert decided.action is action
    assert ("not enough text" in decided.reason) == (action is Action.NONE)


def test_a_leading_signal_that_could_not_be_measured_blocks():
    decided = decision(report(None))

    assert decided.action is Action.BLOCKED
    assert "could not be measured" in decided.reason


@pytest.mark.parametrize("mode", [Mode.ADVISE, Mode.OFF])
def test_only_the_automatic_mode_acts(mode: Mode):
    decided = decision(report(0.5), RetrainPolicy(mode=mode))

    assert decided.action is Action.WATCH
    assert f"the mode is {mode.value!r}" in decided.reason


def test_the_same_text_is_not_tried_twice():
    decided = decision(report(0.5), history=History(tried="version 4 was not promoted (worse)"))

    assert decided.action is Action.WATCH
    assert "version 4 was not promoted (worse)" in decided.reason


@pytest.mark.parametrize(
    ("ago", "action"),
    [
        (timedelta(hours=23, minutes=59), Action.WATCH),
        (timedelta(hours=24), Action.RETRAIN),
    ],
    ids=["just-before-the-end", "exactly-at-the-end"],
)
def test_the_cooldown_is_kept(ago: timedelta, action: Action):
    policy = RetrainPolicy(cooldown=timedelta(hours=24))

    assert decision(report(0.5), policy, History(last_retrained_at=NOW - ago)).action is action
