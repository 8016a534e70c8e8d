"""Every branch of the decision, and both sides of every limit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.decision.policy import (
    RETRAIN,
    WATCH,
    History,
    Mode,
    RetrainPolicy,
    decide,
    undecidable,
)
from monitors.decision.quiet_hours import QuietHours
from monitors.decision.triage import triage
from monitors.records import (
    Action,
    ChangeKind,
    Cost,
    Decision,
    DocumentDrift,
    DriftReport,
    FactKind,
    FactualEdit,
    Housekeeping,
    HousekeepingKind,
    NewTopic,
    Signal,
    TopicDocument,
)
from monitors.wording import describe

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Round levels, so that the words of a reason can be read; the defaults are tested by themselves.
POLICY = RetrainPolicy(retrain=0.08, watch=0.02)
# Levels that binary fractions hold, so that both sides of them are exact.
PLAIN = RetrainPolicy(watch=0.25, retrain=0.5, hysteresis=0.5)
WATCHED, ASKED = History(last_action=Action.WATCH), History(last_action=Action.RETRAIN)


def signal(name: str, score: float | None, threshold: float) -> Signal:
    drifted = score is not None and score >= threshold
    return Signal(name, score, threshold, drifted=drifted, reason="")


def report(
    staleness: float, *, unseen: float | None = 0.5, changed: float | None = 0.5, **rest: Any
) -> DriftReport:
    made = DriftReport(
        reference="docs@1",
        current="docs@2",
        staleness=staleness,
        signals=(
            signal("unseen_shingles", unseen, 0.15),
            signal("changed_chunks", changed, 0.20),
            signal("novelty", None, 0.05),
        ),
        documents=(
            DocumentDrift("notes/news.md", 0.75, ChangeKind.EDITED),
            DocumentDrift("api/new.md", 0.25, ChangeKind.NEW),
        ),
        reference_chunks=100,
        current_chunks=100,
    )
    return replace(made, **rest)


def decision(
    seen: DriftReport,
    policy: RetrainPolicy = POLICY,
    history: History | None = None,
    *,
    now: datetime = NOW,
    cost: Cost | None = None,
) -> Decision:
    return decide(seen, policy, history or History(), now=now, cost=cost)


@pytest.mark.parametrize(
    ("staleness", "action"),
    [
        (0.0, Action.NONE),
        (0.0199, Action.NONE),
        (0.02, Action.WATCH),
        (0.0799, Action.WATCH),
        (0.08, Action.RETRAIN),
        (1.0, Action.RETRAIN),
    ],
    ids=["none", "under-watch", "at-watch", "under-retrain", "at-retrain", "all"],
)
def test_the_staleness_decides(staleness: float, action: Action):
    assert decision(report(staleness)).action is action


@pytest.mark.parametrize(
    ("policy", "watch", "retrain"),
    [
        (RetrainPolicy(), WATCH, RETRAIN),
        (RetrainPolicy(budget=0.4), 0.08, 0.4),
        (RetrainPolicy(budget=0.4, retrain=0.2), 0.04, 0.2),
        (RetrainPolicy(budget=0.4, watch=0.3), 0.3, 0.4),
        (RetrainPolicy(watch=0.01, retrain=0.6), 0.01, 0.6),
    ],
    ids=["default", "budget", "retrain-wins", "watch-wins", "both"],
)
def test_levels_follow_the_budget_unless_they_are_given(
    policy: RetrainPolicy, watch: float, retrain: float
):
    assert (policy.watch_level, policy.retrain_level) == pytest.approx((watch, retrain))


def test_a_retraining_is_justified_by_the_documents_behind_it():
    seen = report(0.091)

    assert decision(seen).reason.startswith(
        f"staleness 9.1 % is over 8 %, with changed chunks 0.50: {describe(seen.documents)}. "
    )


@pytest.mark.parametrize(
    ("staleness", "said"),
    [
        (0.005, "staleness 0.5 % is under 2 %: left to the refreshed index"),
        (0.03, "staleness 3 % is over 2 %, under 8 %: 2 documents"),
        (0.07996, "staleness 8 % is over 2 %, under 8 %"),
        (0.08, "staleness 8 % is at the limit of 8 %, with"),
        (0.0804, "staleness 8.04 % is over 8 %, with"),
    ],
    ids=["calm", "watch", "just-under", "at", "just-over"],
)
def test_the_side_of_the_limit_can_be_read(staleness: float, said: str):
    assert decision(report(staleness)).reason.startswith(said)


@pytest.mark.parametrize(
    ("staleness", "history", "action"),
    [
        (0.125, WATCHED, Action.WATCH),
        (0.1249, WATCHED, Action.NONE),
        (0.125, ASKED, Action.WATCH),
        (0.2499, History(), Action.NONE),
        (0.2499, History(last_action=Action.NONE), Action.NONE),
        (0.2499, History(last_action=Action.BLOCKED), Action.NONE),
    ],
    ids=["not-left", "left", "after-asking", "first-check", "was-calm", "was-blocked"],
)
def test_a_watched_state_is_left_under_its_exit(staleness: float, history: History, action: Action):
    assert decision(report(staleness), PLAIN, history).action is action


def test_why_it_is_still_watched_is_said():
    reason = decision(report(0.019), POLICY, WATCHED).reason

    assert reason.startswith("still watched: staleness 1.9 % is under 2 %, but not yet under 1.6 %")


@pytest.mark.parametrize(
    ("mode", "staleness", "action"),
    [
        (Mode.APPROVE, 0.25, Action.RETRAIN),
        (Mode.APPROVE, 0.2499, Action.WATCH),
        (Mode.AUTO, 0.4999, Action.WATCH),
    ],
    ids=["waits-for-a-person", "taken-back", "nothing-is-spent-under-the-level"],
)
def test_only_a_request_that_waits_outlives_its_level(mode: Mode, staleness: float, action: Action):
    decided = decision(report(staleness), replace(PLAIN, mode=mode), ASKED)

    assert decided.action is action
    assert ("still asked for" in decided.reason) == (action is Action.RETRAIN)
    assert "enough for now" not in decided.reason


@pytest.mark.parametrize(
    ("changed", "agreeing", "action"),
    [
        (0.19, 1, Action.WATCH),
        (0.20, 1, Action.RETRAIN),
        (0.20, 2, Action.WATCH),
        (0.19, 0, Action.RETRAIN),
        (None, 1, Action.WATCH),
    ],
    ids=["under", "at-its-threshold", "two-wanted", "none-wanted", "not-measured"],
)
def test_other_signals_must_agree(changed: float | None, agreeing: int, action: Action):
    policy = RetrainPolicy(agreeing=agreeing)

    decided = decision(report(0.4, changed=changed), policy)

    assert decided.action is action
    assert ("too few other signals agree" in decided.reason) == (action is Action.WATCH)


@pytest.mark.parametrize("score", [None, float("nan")], ids=["none", "nan"])
def test_what_was_not_measured_never_agrees_and_is_always_said(score: float | None):
    odd = Signal("changed_chunks", score, 0.20, drifted=True, reason="")
    leading = signal("unseen_shingles", 0.5, 0.15)

    for staleness, action in ((0.001, Action.NONE), (0.4, Action.WATCH)):
        decided = decision(report(staleness, signals=(leading, odd)))

        assert decided.action is action
        assert "Not measured: changed chunks" in decided.reason


def test_the_leading_signal_does_not_agree_with_itself():
    alone = report(0.4, signals=(signal("unseen_shingles", 0.5, 0.15),))

    decided = decision(alone)

    assert decided.action is Action.WATCH
    assert "(none was measured)" in decided.reason


def test_a_signal_that_drifted_under_the_level_is_said():
    decided = decision(report(0.001))

    assert decided.action is Action.NONE
    assert "though changed chunks 0.50 drifted" in decided.reason


@pytest.mark.parametrize(
    ("seen", "action", "said"),
    [
        (report(0.5, current_chunks=0), Action.BLOCKED, "docs@2 holds no text"),
        (report(0.5, reference_chunks=0), Action.BLOCKED, "docs@1 holds no text"),
        (report(0.5, current_chunks=1), Action.NONE, "not enough text to judge: 1 chunk, 8 are"),
        (report(0.5, current_chunks=7), Action.NONE, "not enough text to judge: 7 chunks, 8 are"),
        (report(0.5, current_chunks=8), Action.RETRAIN, "staleness 50 % is over 8 %"),
        (report(0.5, reference_chunks=1), Action.RETRAIN, "staleness 50 % is over 8 %"),
        (report(0.0, current="docs@1"), Action.NONE, "both sides are docs@1, so nothing can be"),
        (report(0.0, unseen=0.0, changed=0.0), Action.NONE, "nothing is said now that the"),
        (report(0.5, unseen=None), Action.BLOCKED, "unseen_shingles could not be measured"),
        (report(0.5, unseen=float("nan")), Action.BLOCKED, "unseen_shingles could not be"),
        (report(float("nan")), Action.BLOCKED, "unseen_shingles could not be measured"),
        (report(0.5, signals=()), Action.BLOCKED, "unseen_shingles could not be measured"),
    ],
    ids=[
        *("empty-corpus", "empty-reference", "one-short-document", "one-chunk-too-few", "enough"),
        *("small-reference", "same-snapshot", "same-text", "not-measured", "nan", "nan-staleness"),
        "no-signals",
    ],
)
def test_a_corner_gets_a_decision_in_words(seen: DriftReport, action: Action, said: str):
    decided = decision(seen)

    assert decided.action is action
    assert decided.reason.startswith(said)


def test_of_one_snapshot_there_is_no_more_to_say():
    said = decision(report(0.0, current="docs@1")).reason

    assert said == "both sides are docs@1, so nothing can be stale"


def test_what_cannot_be_decided_is_blocked_in_the_callers_words():
    cost = Cost(None, None, "EUR", "no retraining was run here yet")

    decided = undecidable("docs has no champion", cost=cost)

    assert decided == Decision(Action.BLOCKED, "docs has no champion", cost)


@pytest.mark.parametrize(
    ("mode", "watched", "stale", "needs_approval"),
    [
        (Mode.OFF, Action.NONE, Action.NONE, False),
        (Mode.ADVISE, Action.WATCH, Action.WATCH, False),
        (Mode.APPROVE, Action.WATCH, Action.RETRAIN, True),
        (Mode.AUTO, Action.WATCH, Action.RETRAIN, False),
    ],
)
def test_the_mode_says_how_far_it_goes(
    mode: Mode, watched: Action, stale: Action, *, needs_approval: bool
):
    policy = RetrainPolicy(mode=mode)

    assert decision(report(0.05), policy) == replace(
        decision(report(0.05), policy), action=watched, needs_approval=False
    )
    decided = decision(report(0.5), policy)
    assert (decided.action, decided.needs_approval) == (stale, needs_approval)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Mode.OFF, "nobody is told or asked, because the mode is 'off'"),
        (Mode.ADVISE, "said and not asked for, because the mode is 'advise'"),
        (Mode.APPROVE, "It waits for approval: `driftline retrain docs`"),
    ],
)
def test_a_mode_that_does_not_act_says_so(mode: Mode, said: str):
    assert said in decision(report(0.5), RetrainPolicy(mode=mode)).reason


def test_a_mode_that_is_off_still_says_what_could_not_be_measured():
    decided = decision(report(0.5, unseen=None), RetrainPolicy(mode=Mode.OFF))

    assert decided.action is Action.BLOCKED


def retrained(*ago: timedelta, **rest: Any) -> History:
    return History(retrained_at=tuple(NOW - each for each in ago), **rest)


@pytest.mark.parametrize("mode", [Mode.APPROVE, Mode.AUTO])
def test_the_same_text_is_not_tried_twice(mode: Mode):
    history = History(tried="version 4 was not promoted (worse)")

    decided = decision(report(0.5), RetrainPolicy(mode=mode), history)

    assert decided.action is Action.WATCH
    assert "this text was tried: version 4 was not promoted (worse)" in decided.reason


@pytest.mark.parametrize(
    ("ago", "action"),
    [
        (DAY - timedelta(seconds=1), Action.WATCH),
        (DAY, Action.RETRAIN),
    ],
    ids=["just-before-the-end", "exactly-at-the-end"],
)
def test_the_cooldown_is_kept(ago: timedelta, action: Action):
    policy = RetrainPolicy(cooldown=DAY)

    assert decision(report(0.5), policy, retrained(9 * DAY, ago, 5 * DAY)).action is action


def test_the_end_of_the_cooldown_is_said():
    reason = decision(report(0.5), RetrainPolicy(cooldown=DAY), retrained(6 * HOUR)).reason

    assert "not asked for before 2026-03-02 06:00 UTC, when the cooldown ends" in reason


@pytest.mark.parametrize(
    ("checks", "action", "said"),
    [
        (0, Action.WATCH, "before 2 more checks (the cooldown)"),
        (1, Action.WATCH, "before 1 more check (the cooldown)"),
        (2, Action.RETRAIN, "staleness"),
    ],
)
def test_a_cooldown_in_checks_holds_whatever_the_clock_says(checks: int, action: Action, said: str):
    policy = RetrainPolicy(cooldown_checks=2)

    decided = decision(report(0.5), policy, retrained(300 * DAY, checks_since=checks))

    assert decided.action is action
    assert said in decided.reason


@pytest.mark.parametrize(
    ("checks", "action"),
    [(None, Action.WATCH), (0, Action.WATCH), (1, Action.RETRAIN)],
)
def test_a_clock_that_was_put_back_holds_for_one_check_and_not_for_years(
    checks: int | None, action: Action
):
    history = retrained(-9_000 * DAY, checks_since=checks)

    decided = decision(report(0.5), RetrainPolicy(cooldown=DAY), history)

    assert decided.action is action
    assert ("the clock stands before" in decided.reason) == (action is Action.WATCH)


def test_the_very_instant_of_the_last_retraining_is_not_before_it():
    assert decision(report(0.5), POLICY, retrained(0 * DAY)).action is Action.RETRAIN


@pytest.mark.parametrize(
    ("ago", "action"),
    [
        ((DAY, 30 * DAY - timedelta(seconds=1)), Action.WATCH),
        ((DAY, 30 * DAY), Action.RETRAIN),
        ((DAY,), Action.RETRAIN),
        ((DAY, 2 * DAY, 3 * DAY), Action.WATCH),
    ],
    ids=["both-within", "one-just-out", "one-too-few", "one-too-many"],
)
def test_the_cap_counts_the_last_thirty_days(ago: tuple[timedelta, ...], action: Action):
    policy = RetrainPolicy(retrains_per_month=2)

    assert decision(report(0.5), policy, retrained(*ago)).action is action


def test_the_end_of_the_cap_is_when_enough_have_left_the_thirty_days():
    policy = RetrainPolicy(retrains_per_month=2)

    reason = decision(report(0.5), policy, retrained(10 * DAY, 5 * DAY, 20 * DAY)).reason

    # When that of 19 February leaves as well: without that of 9 February two are still left.
    assert "before 2026-03-21 12:00 UTC, after 3 retrainings in 30 days" in reason


NIGHT = QuietHours.parse("22:00-06:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "action"),
    [
        (datetime(2026, 3, 1, 20, 59, 59, tzinfo=UTC), Action.RETRAIN),
        (datetime(2026, 3, 1, 21, tzinfo=UTC), Action.WATCH),
        (datetime(2026, 3, 2, 4, 59, 59, tzinfo=UTC), Action.WATCH),
        (datetime(2026, 3, 2, 5, tzinfo=UTC), Action.RETRAIN),
    ],
    ids=["just-before", "begin", "just-before-the-end", "end"],
)
def test_no_retraining_begins_in_quiet_hours(now: datetime, action: Action):
    decided = decision(report(0.5), RetrainPolicy(quiet_hours=NIGHT), now=now)

    assert decided.action is action
    until = "not asked for before 2026-03-02 05:00 UTC, when the quiet hours"
    assert (until in decided.reason) == (action is Action.WATCH)


def test_quiet_hours_do_not_keep_people_from_being_told():
    now = datetime(2026, 3, 1, 23, tzinfo=UTC)

    decided = decision(report(0.05), RetrainPolicy(quiet_hours=NIGHT), now=now)

    assert decided.action is Action.WATCH
    assert "quiet" not in decided.reason


def test_all_that_holds_back_is_said():
    policy = RetrainPolicy(
        cooldown=DAY, retrains_per_month=1, quiet_hours=QuietHours.parse("11:00-13:00")
    )

    reason = decision(report(0.5), policy, retrained(HOUR)).reason

    assert "before 2026-03-02 11:00 UTC, when the cooldown ends" in reason
    assert "before 2026-03-31 11:00 UTC, after 1 retraining in 30 days" in reason
    assert "before 2026-03-01 13:00 UTC, when the quiet hours (11:00-13:00 UTC) end" in reason


def test_what_is_not_justified_is_not_called_held_back():
    policy = RetrainPolicy(cooldown=DAY)

    assert "cooldown" not in decision(report(0.05), policy, retrained(HOUR)).reason


def topic(p_value: float | None, *, level: float = 0.05) -> NewTopic:
    documents = (
        TopicDocument("far.md", 0.9, unusual=True),
        TopicDocument("near.md", 0.1, unusual=False),
    )
    return NewTopic(p_value, level, documents, ("turbine", "blade"), "")


@pytest.mark.parametrize(
    ("p_value", "action"),
    [(0.05, Action.WATCH), (0.0501, Action.NONE), (None, Action.NONE)],
    ids=["at-the-level", "over-it", "not-tested"],
)
def test_a_new_topic_is_at_least_watched(p_value: float | None, action: Action):
    decided = decision(report(0.001, topic=topic(p_value)))

    assert decided.action is action
    said = "A new topic came in (p = 0.050; words: turbine, blade): far.md"
    assert (said in decided.reason) == (action is Action.WATCH)
    assert "near.md" not in decided.reason


def test_a_new_topic_does_not_retrain():
    assert decision(report(0.0799, topic=topic(0.0001))).action is Action.WATCH


def edit(was: str = "30 days", now: str = "14 days", uri: str = "billing/plans.md") -> FactualEdit:
    return FactualEdit(uri, FactKind.NUMBER, was, now, "", "")


def test_changed_facts_are_said_and_are_no_action():
    decided = decision(report(0.001, edits=(edit(),), edits_found=12))

    assert decided.action is Action.NONE
    assert (
        "12 facts changed, which no embedding sees, e.g. '30 days' → '14 days' in billing/plans.md"
    ) in decided.reason


@pytest.mark.parametrize(
    ("edits", "found", "said"),
    [
        ((), 0, None),
        ((edit(),), 1, "One fact changed"),
        ((), 3, "3 facts changed, which no embedding sees"),
        ((edit("a\x1b[2J", "x" * 41),), 2, "'a\\x1b[2J' → '" + "x" * 39 + "…' in"),
    ],
    ids=["none", "one", "no-example", "hostile-and-long"],
)
def test_facts_are_counted_and_made_safe(
    edits: tuple[FactualEdit, ...], found: int, said: str | None
):
    reason = decision(report(0.05, edits=edits, edits_found=found)).reason

    assert ("changed, which" in reason) == (said is not None)
    assert said is None or said in reason


def tidied(kind: HousekeepingKind, count: int) -> Housekeeping:
    return Housekeeping(kind, tuple(f"{number}.md" for number in range(count)), "")


@pytest.mark.parametrize("kind", HousekeepingKind)
def test_housekeeping_alone_is_called_so(kind: HousekeepingKind):
    seen = report(0.0, unseen=0.0, changed=0.0, housekeeping=(tidied(kind, 41),))

    decided = decision(seen)

    assert decided.action is Action.NONE
    assert decided.reason.startswith("nothing but housekeeping. 41 documents were ")
    assert "which is no reason to retrain" in decided.reason


def test_housekeeping_beside_drift_is_told_apart():
    tidy = (tidied(HousekeepingKind.FORMATTING, 1), tidied(HousekeepingKind.MOVED, 3))

    decided = decision(report(0.5, housekeeping=tidy))

    assert decided.action is Action.RETRAIN
    said = "One document was only reformatted and 3 documents were only moved, which is no reason"
    assert said in decided.reason


def test_removals_beside_housekeeping_are_not_hidden_by_it():
    seen = report(0.0, unseen=0.0, housekeeping=(tidied(HousekeepingKind.MOVED, 3),))

    reason = decision(seen).reason

    assert "nothing but housekeeping" not in reason
    assert "changed chunks 0.50 drifted" in reason


@pytest.mark.parametrize(
    ("staleness", "answered", "said"),
    [
        (0.05, 90, "The refreshed index answers 90 % of the stale questions already; 10 % are"),
        (0.05, 90, "10 % are left to the weights; the index is enough for now"),
        (0.05, 89, "before retraining, look at what the search does not find"),
        (0.08, 90, "without a passage the weights still answer from docs@1"),
        (0.05, None, "How much of it the refreshed index has cured was not measured"),
        (0.08, None, "was not measured; without a passage the weights still answer from docs@1"),
    ],
    ids=["cured", "enough", "search-misses", "stale", "not-measured", "stale-not-measured"],
)  # fmt: skip
def test_which_memory_has_to_move_is_said(staleness: float, answered: int | None, said: str):
    found = None if answered is None else triage(100, answered)

    assert said in decision(report(staleness, triage=found)).reason


def test_a_request_that_still_waits_is_not_called_unneeded():
    policy = replace(PLAIN, mode=Mode.APPROVE)

    decided = decision(report(0.3, triage=triage(100, 95)), policy, ASKED)

    assert decided.action is Action.RETRAIN
    assert "enough for now" not in decided.reason
    assert "without a passage the weights still answer from docs@1" in decided.reason


def test_what_was_probed_is_said_even_where_nobody_is_told():
    probed, not_probed = (decision(report(0.001, triage=each)) for each in (triage(4, 3), None))

    assert "The refreshed index answers 75 % of the stale questions" in probed.reason
    assert "index has cured" not in not_probed.reason


KNOWN = Cost(240.0, 0.17, "EUR", "from the last retraining")


@pytest.mark.parametrize("staleness", [0.001, 0.05, 0.5], ids=["none", "watch", "retrain"])
def test_the_cost_is_recorded_with_every_decision(staleness: float):
    assert decision(report(staleness), cost=KNOWN).cost == KNOWN


@pytest.mark.parametrize(
    ("staleness", "said"),
    [
        (0.001, None),
        (0.05, "Retraining would cost about 4 min (0.17 EUR) and renew what answers 5 of 100"),
        (0.09, "Retraining would cost about 4 min (0.17 EUR) and renew what answers 9 of 100"),
    ],
    ids=["none", "watch", "retrain"],
)
def test_the_cost_is_said_beside_what_it_buys_where_people_are_told(
    staleness: float, said: str | None
):
    reason = decision(report(staleness), cost=KNOWN).reason

    assert ("would cost" in reason) == (said is not None)
    assert said is None or said in reason


def test_a_documents_name_cannot_disturb_a_terminal():
    odd = "a\n\u202e\x1b]0;x.md"
    seen = report(
        0.5,
        documents=(DocumentDrift(odd, 1.0, ChangeKind.NEW),),
        topic=NewTopic(0.01, 0.05, (TopicDocument(odd, 0.9, unusual=True),), (odd,), ""),
        edits=(edit(odd, odd, odd),),
        edits_found=1,
    )

    assert decision(seen).reason.isprintable()


SHARES = st.floats(0, 1)
ORDER = [Action.NONE, Action.WATCH, Action.RETRAIN]
AGO = st.timedeltas(min_value=timedelta(0), max_value=60 * DAY)
POLICIES = st.builds(
    RetrainPolicy,
    mode=st.sampled_from(Mode),
    budget=st.floats(0.01, 1),
    hysteresis=st.floats(0, 0.99),
    agreeing=st.integers(0, 2),
    cooldown=st.timedeltas(min_value=timedelta(0), max_value=40 * DAY),
    cooldown_checks=st.integers(0, 3),
    retrains_per_month=st.integers(1, 3),
    quiet_hours=st.sampled_from([None, NIGHT, QuietHours.parse("11:00-13:00")]),
)
HISTORIES = st.builds(
    lambda ago, last, checks: retrained(*ago, last_action=last, checks_since=checks),
    st.lists(AGO, max_size=4),
    st.sampled_from([None, *Action]),
    st.integers(0, 4),
)


@settings(max_examples=300, deadline=None)
@given(one=SHARES, other=SHARES, policy=POLICIES, history=HISTORIES)
def test_more_staleness_never_asks_for_less(
    one: float, other: float, policy: RetrainPolicy, history: History
):
    low, high = sorted((one, other))

    less, more = (decision(report(share), policy, history).action for share in (low, high))

    assert ORDER.index(less) <= ORDER.index(more)


@settings(max_examples=300, deadline=None)
@given(staleness=SHARES, changed=SHARES, policy=POLICIES, history=HISTORIES)
def test_a_retraining_is_never_asked_for_against_the_policy(
    staleness: float, changed: float, policy: RetrainPolicy, history: History
):
    decided = decision(report(staleness, changed=changed), policy, history)

    assert decided == decision(report(staleness, changed=changed), policy, history)
    if decided.action is Action.RETRAIN:
        assert policy.mode in {Mode.APPROVE, Mode.AUTO}
        assert decided.needs_approval == (policy.mode is Mode.APPROVE)
        assert all(NOW - at >= policy.cooldown for at in history.retrained_at)
        assert sum(NOW - at < 30 * DAY for at in history.retrained_at) < policy.retrains_per_month
        assert policy.quiet_hours is None or policy.quiet_hours.until(NOW) is None
        assert policy.agreeing <= int(changed >= 0.20)
        assert policy.mode is Mode.APPROVE or staleness >= policy.retrain_level
    else:
        assert not decided.needs_approval
