"""Replaying a policy over a past worked out by hand, beside each of its yardsticks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.decision.policy import Mode, RetrainPolicy, Thresholds
from monitors.decision.quiet_hours import QuietHours
from monitors.replaying.past import Past, Retraining, Version, past_of, score
from monitors.replaying.replay import TradeOff, follow, propose, replay, trade_off
from monitors.replaying.sketch import sketch
from monitors.replaying.timeline_plot import write_plot
from monitors.replaying.yardsticks import calendars, fixed, least_mean, least_worst, step_to_step

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEN_DAYS = [0.0, 10.0, 20.0, 30.0, 40.0]
# How far each version is on its way, in percent; two are as far apart as they are on it.
WAY = [0, 5, 10, 11, 20]
POLICY = RetrainPolicy(retrain=0.10)
LIMITS = Thresholds()


def past(
    way: Sequence[float] = WAY,
    days: Sequence[float] = TEN_DAYS,
    *,
    agrees: bool = True,
    chunks: int = 100,
) -> Past:
    versions = tuple(
        Version(f"v{at}", BEGIN + timedelta(days=day), chunks) for at, day in enumerate(days)
    )
    staleness = np.array([[max(0, now - was) / 100 for now in way] for was in way])
    staleness = staleness.reshape(len(way), len(way))
    return Past(versions, staleness, staleness, np.full_like(staleness, agrees), staleness * 0)


def on(schedule) -> list[int]:
    return [retraining.version for retraining in schedule.retrained]


def waited(schedule) -> list[timedelta]:
    return [
        retraining.time - BEGIN - timedelta(days=TEN_DAYS[retraining.version])
        for retraining in schedule.retrained
    ]


def test_the_policy_retrains_at_its_level_since_the_last_training():
    schedule = follow(past(), POLICY, LIMITS)

    # 5, then 10: retrained; 1 from there, and 10: retrained. Users had 0, 5, 0, 1, 0 percent.
    assert on(schedule) == [2, 4]
    assert schedule.mean == pytest.approx((0 + 5 + 0 + 1 + 0) / 500)
    assert schedule.worst == pytest.approx(0.05)
    assert schedule.met == pytest.approx(0.10)


def test_staleness_weighs_as_long_as_it_stood():
    schedule = score(past([0, 6, 8], [0, 30, 40]), "never", [])

    # 30 days at 0, 10 at 6 %, and the last as long as the median of the two: 20 at 8 %.
    assert schedule.mean == pytest.approx((10 * 6 + 20 * 8) / 6_000)
    assert schedule.end == BEGIN + timedelta(days=60)


def test_what_stood_for_no_time_is_no_worst():
    schedule = score(past([0, 9, 2], [0, 10, 10]), "never", [])

    assert schedule.worst == pytest.approx(0.02)
    assert schedule.met == pytest.approx(0.09)


def test_versions_that_came_all_at_once_weigh_the_same():
    schedule = score(past([0, 4, 8], [0, 0, 0]), "never", [])

    assert [schedule.mean, schedule.worst] == pytest.approx([0.04, 0.08])


def test_versions_out_of_order_are_refused():
    sketched = sketch([])
    versions = [Version("b", BEGIN, 1), Version("a", BEGIN - timedelta(days=1), 1)]

    with pytest.raises(ValueError, match="not in the order"):
        past_of(versions, [sketched, sketched])


@pytest.mark.parametrize(
    ("level", "expected"), [(0.10, [2, 4]), (0.1001, [3]), (0.05, [1, 2, 4]), (0.21, [])]
)
def test_a_fixed_threshold_is_met_at_its_level(level: float, expected: list[int]):
    assert on(fixed(past(), level)) == expected


@pytest.mark.parametrize(("level", "expected"), [(0.06, [4]), (0.05, [1, 2, 4]), (0.0901, [])])
def test_step_to_step_never_sees_slow_drift(level: float, expected: list[int]):
    schedule = step_to_step(past(), level)

    assert on(schedule) == expected
    if not expected:
        assert schedule.worst == pytest.approx(0.20)


def test_the_best_in_hindsight_is_found_by_hand():
    # On v1: 0 0 5 6 15, on v2: 0 5 0 1 10, on v3: 0 5 10 0 9, on v4: 0 5 10 11 0 percent.
    mean, worst = least_mean(past(), 1), least_worst(past(), 1)

    assert on(mean) == [2]
    assert mean.mean == pytest.approx(0.16 / 5)
    # v2 and v3 both have a worst of 10: of the two, v2 has the smaller mean.
    assert on(worst) == [2]
    assert worst.worst == pytest.approx(0.10)


def test_the_least_worst_is_not_the_least_mean():
    record = past([0, 5, 9, 11], [0, 10, 30, 31])

    # In percent and days, on v1: 4 for 1 day, 6 for 10; on v2: 5 for 20 days, 2 for 10.
    assert on(least_mean(record, 1)) == [1]
    assert on(least_worst(record, 1)) == [2]


ways = st.lists(st.integers(0, 30), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    way=ways, steps=st.lists(st.integers(0, 9), min_size=6, max_size=6), wanted=st.integers(0, 5)
)
def test_no_schedule_of_equal_cost_is_better_than_the_best_in_hindsight(way, steps, wanted):
    record = past(way, np.cumsum(steps[: len(way)]).tolist())
    count = min(wanted, len(way) - 1)

    mean, worst = least_mean(record, count), least_worst(record, count)

    every = [
        score(record, "", record.at_once(positions))
        for positions in combinations(range(1, len(way)), count)
    ]
    assert mean.retrainings == worst.retrainings == count
    assert mean.mean == pytest.approx(min(each.mean for each in every))
    assert worst.worst == pytest.approx(min(each.worst for each in every))
    as_good = [each for each in every if each.worst <= worst.worst + 1e-12]
    assert worst.mean == pytest.approx(min(each.mean for each in as_good))


@settings(max_examples=40, deadline=None)
@given(way=ways, level=st.integers(1, 30))
def test_calendars_cost_what_the_policy_costs(way, level: int):
    record = past(way, [10.0 * at for at in range(len(way))])
    acting = fixed(record, level / 100)

    found = calendars(record, acting)

    if found is None:
        assert acting.retrainings == 0
    else:
        assert found.retrainings == found.typical.retrainings == acting.retrainings
        assert found.mean >= least_mean(record, acting.retrainings).mean - 1e-12
        assert found.worst >= least_worst(record, acting.retrainings).worst - 1e-12
        assert 0 <= found.beaten <= 1


def test_a_calendar_that_retrains_on_every_version_is_the_only_one():
    record = past([0, 20, 40], [0, 10, 20])

    found = calendars(record, fixed(record, 0.10))

    assert found is not None
    assert on(found.typical) == [1, 2]
    assert (found.schedules, found.mean, found.beaten) == (1, 0, 0)


def test_a_burst_is_where_a_policy_beats_the_calendar():
    # Nothing for months, then two large steps on two days, then nothing again.
    days = [0, 100, 200, 201, 202, 300, 400]
    record = past([0, 0, 0, 12, 24, 24, 24], days)

    replayed = replay(record, POLICY, LIMITS)

    assert on(replayed.schedules[0]) == [3, 4]
    assert replayed.beats_the_calendar is True
    assert replayed.calendars is not None
    assert replayed.calendars.worst > replayed.schedules[0].worst


@pytest.mark.parametrize(
    ("mean", "worst", "beats"),
    [(0.013, 0.051, True), (0.012, 0.051, False), (0.013, 0.05, False)],
    ids=["both", "the-same-mean", "the-same-worst"],
)
def test_a_calendar_is_beaten_in_mean_and_worst_or_not_at_all(
    mean: float, worst: float, *, beats: bool
):
    replayed = replay(past(), POLICY, LIMITS)
    assert replayed.calendars is not None

    beside = replace(replayed.calendars, mean=mean, worst=worst)

    # The policy's own are 0.012 and 0.05 (see the first test), up to rounding.
    exact = replace(replayed.schedules[0], mean=0.012, worst=0.05)
    schedules = (exact, *replayed.schedules[1:])
    assert replace(replayed, schedules=schedules, calendars=beside).beats_the_calendar is beats


def test_a_policy_held_back_does_not_beat_the_calendar():
    record = past([0, 12, 24, 36, 48], TEN_DAYS)

    replayed = replay(record, RetrainPolicy(retrain=0.4), LIMITS)

    assert replayed.beats_the_calendar is False


@pytest.mark.parametrize(
    ("cooldown", "versions", "waits"),
    [(0, [1, 2, 3, 4], [0, 0, 0, 0]), (10, [1, 2, 3, 4], [0, 0, 0, 0]),
     (15, [1, 2, 4], [0, 5, 0]), (20, [1, 3], [0, 0]), (29, [1, 3], [0, 9])],
    ids=["none", "as-long-as-a-version-stands", "over-it", "two-versions", "nearly-three"],
)  # fmt: skip
def test_a_cooldown_lets_users_wait(cooldown: int, versions: list[int], waits: list[int]):
    policy = RetrainPolicy(retrain=0.10, cooldown=timedelta(days=cooldown))

    schedule = follow(past([0, 10, 20, 30, 40]), policy, LIMITS)

    assert on(schedule) == versions
    assert waited(schedule) == [timedelta(days=days) for days in waits]


def test_who_waits_for_a_retraining_is_counted():
    policy = RetrainPolicy(retrain=0.10, cooldown=timedelta(days=15))

    schedule = follow(past([0, 10, 20], [0, 10, 20]), policy, LIMITS)

    # v2 comes on day 20, is trained on from day 25, and the record ends on day 30.
    assert on(schedule) == [1, 2]
    assert schedule.mean == pytest.approx(5 * 0.10 / 30)
    assert schedule.worst == pytest.approx(0.10)


def test_the_cap_on_retrainings_in_thirty_days_is_kept():
    policy = RetrainPolicy(retrain=0.10, retrains_per_month=2)

    schedule = follow(past([0, 10, 20, 30], [0, 10, 20, 35]), policy, LIMITS)

    # Days 10 and 20; v3 comes on day 35, and on day 40 the first is thirty days ago.
    assert on(schedule) == [1, 2, 3]
    assert schedule.retrained[2].time == BEGIN + timedelta(days=40)


def test_quiet_hours_delay_until_they_end():
    policy = RetrainPolicy(retrain=0.10, quiet_hours=QuietHours.parse("11:00-15:00"))

    schedule = follow(past([0, 10, 10], [0, 10, 20]), policy, LIMITS)

    assert on(schedule) == [1]
    assert waited(schedule) == [timedelta(hours=3)]


def test_checks_that_must_lie_between_are_versions():
    policy = RetrainPolicy(retrain=0.10, cooldown_checks=2)

    assert on(follow(past([0, 10, 20, 30, 40]), policy, LIMITS)) == [1, 3]


def test_too_few_signals_that_agree_keep_the_policy_from_acting():
    record = past(agrees=False)

    assert on(follow(record, POLICY, LIMITS)) == []
    assert on(follow(record, RetrainPolicy(retrain=0.10, agreeing=0), LIMITS)) == [2, 4]


@pytest.mark.parametrize(("chunks", "expected"), [(7, []), (8, [2, 4])])
def test_too_little_text_is_not_judged_in_a_replay_either(chunks: int, expected: list[int]):
    assert on(follow(past(chunks=chunks), POLICY, LIMITS)) == expected


@pytest.mark.parametrize("mode", list(Mode))
def test_a_replay_acts_whatever_the_mode(mode: Mode):
    assert on(follow(past(), RetrainPolicy(retrain=0.10, mode=mode), LIMITS)) == [2, 4]


def test_the_trade_off_ends_with_the_level_that_never_retrains():
    curve = trade_off(past(), POLICY, LIMITS)

    assert (curve[0].level, curve[0].retrainings) == (0.01, 4)
    assert curve[-1].retrainings == 0
    assert curve[-1].level == pytest.approx(0.205)
    assert {each.level: each.retrainings for each in curve}[0.10] == 2


CURVE = [
    TradeOff(0.02, 4, 0.01, 0.02),
    TradeOff(0.05, 2, 0.03, 0.06),
    TradeOff(0.06, 2, 0.02, 0.07),
    TradeOff(0.07, 2, 0.02, 0.07),
    TradeOff(0.10, 1, 0.05, 0.09),
]


@pytest.mark.parametrize(
    ("budget", "level", "retrainings"),
    [(0.0699, 0.05, 2), (0.07, 0.07, 2), (0.09, 0.10, 1), (0.0599, 0.02, 4)],
    ids=["just-under", "least-mean-then-highest-level", "at-the-worst", "fewest-that-keep-it"],
)
def test_a_proposal_keeps_the_budget_with_the_fewest_retrainings(
    budget: float, level: float, retrainings: int
):
    proposal = propose(CURVE, budget)

    assert (proposal.level, proposal.retrainings) == (level, retrainings)
    assert f"retrain = {level:g}" in proposal.reason


def test_a_budget_that_nothing_keeps_is_said():
    proposal = propose(CURVE, 0.0199)

    assert proposal.level is None
    assert "no retrain level keeps the worst staleness within 2.0 %" in proposal.reason


def test_a_budget_that_was_never_reached_needs_no_retraining():
    proposal = propose([*CURVE, TradeOff(0.15, 0, 0.06, 0.12)], 0.12)

    assert (proposal.level, proposal.retrainings) == (0.12, 0)
    assert "no retraining was needed" in proposal.reason


@pytest.mark.parametrize("count", [0, 1])
def test_too_short_a_past_is_said_in_words(count: int):
    replayed = replay(past(WAY[:count], TEN_DAYS[:count]), POLICY, LIMITS)

    assert replayed.schedules == ()
    assert replayed.proposal is None
    assert replayed.beats_the_calendar is None
    assert "a replay needs two" in replayed.reason


def test_versions_that_say_the_same_never_retrain():
    replayed = replay(past([0, 0, 0], [0, 10, 20]), POLICY, LIMITS)

    assert [schedule.retrainings for schedule in replayed.schedules] == [0] * 5
    assert replayed.calendars is None
    assert replayed.proposal is not None
    assert replayed.proposal.retrainings == 0
    assert "would not have retrained" in replayed.reason


def test_the_budget_is_the_retrain_level_unless_it_is_given():
    by_default, given_one = (
        replay(past(), POLICY, LIMITS, budget=budget).proposal for budget in (None, 0.2)
    )

    assert by_default is not None
    assert given_one is not None
    assert (by_default.budget, given_one.budget) == (0.10, 0.2)


def test_a_past_can_be_looked_at_as_it_was_earlier():
    earlier = past().first(3)

    assert len(earlier) == 3
    assert on(fixed(earlier, 0.10)) == [2]


def test_a_retraining_stands_from_its_own_time():
    record = past([0, 10, 10], [0, 10, 20])

    held = score(record, "held", [Retraining(1, BEGIN + timedelta(days=14))])

    assert held.mean == pytest.approx(4 * 0.10 / 30)


@pytest.mark.parametrize("ending", [".png", ".svg", ".html"])
def test_the_same_replay_is_drawn_into_the_same_file(tmp_path: Path, ending: str):
    replayed = replay(past(), POLICY, LIMITS)

    for name in ("one", "two"):
        write_plot(replayed, tmp_path / f"{name}{ending}", title="docs")

    one, two = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) > 5_000


def test_names_are_drawn_as_they_are_and_load_nothing(tmp_path: Path):
    hostile = "$\\frac$</title><script src=//x>"
    record = past()
    versions = tuple(Version(hostile, each.time, each.chunks) for each in record.versions)
    shares = (record.staleness, record.unseen, record.changed, record.removed)

    write_plot(replay(Past(versions, *shares), POLICY, LIMITS), tmp_path / "a.html", title=hostile)

    page = (tmp_path / "a.html").read_text("utf-8")
    outside = page.split("<!--")[0] + "".join(
        part.split("-->", 1)[1] for part in page.split("<!--")[1:]
    )
    assert "<script" not in outside
    assert outside.count("<title>") == 1


def test_no_past_is_drawn_as_its_reason(tmp_path: Path):
    write_plot(replay(past([0], [0]), POLICY, LIMITS), tmp_path / "none.png", title="docs")

    assert (tmp_path / "none.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_no_known_kind_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.html"):
        write_plot(replay(past(), POLICY, LIMITS), tmp_path / "a.gif", title="docs")
