"""The estimate of staleness: its limits, what it grows with, and how it is fitted."""

import math

import pytest

from monitors.calibration import (
    FITTED,
    RESOLUTION,
    USUALLY_MISSED,
    Coefficients,
    Features,
    Labelled,
    estimate,
    fit,
)
from monitors.decision.policy import RETRAIN, WATCH
from monitors.signals.staleness import ProbedStaleness

PLAIN = Coefficients(per_fresh=1.0, per_unseen=1.0, spread=0.2)


def probed(fresh: float, *, stale: int, answered: int) -> ProbedStaleness:
    share = fresh * stale / answered if answered else 0.0
    return ProbedStaleness(share, 0.0, 1.0, fresh, answered, answered, stale, stale)


def features(unseen: float, fresh: float, *, stale: int = 50, answered: int = 100) -> Features:
    return Features(unseen, probed(fresh, stale=stale, answered=answered))


@pytest.mark.parametrize(
    "unmoved",
    [Features(0.0), features(0.0, 0.0, stale=0, answered=0)],
    ids=["without-probes", "with-probes"],
)
def test_a_corpus_that_did_not_move_is_not_stale(unmoved: Features):
    found = estimate(unmoved)

    assert (found.share, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("unseen", "share"),
    [(0.0, 0.0), (0.004, 0.0), (RESOLUTION, RESOLUTION), (0.006, 0.006), (1.0, 1.0)],
    ids=["nothing", "under-the-resolution", "at-the-resolution", "over-it", "everything"],
)
def test_what_no_label_could_tell_from_nothing_is_nothing(unseen: float, share: float):
    assert estimate(Features(unseen), PLAIN).share == share


def test_it_is_never_over_one():
    found = estimate(features(1.0, 1.0, stale=1_000, answered=1_000), Coefficients(2.0, 2.0, 0.2))

    assert (found.share, found.high) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Features(0.2), Features(0.3)),
        (features(0.2, 0.2), features(0.3, 0.2)),
        (features(0.2, 0.2), features(0.2, 0.3)),
        (features(0.2, 0.2, stale=40), features(0.2, 0.2, stale=50)),
        (features(0.2, 0.2, stale=40, answered=100), features(0.2, 0.2, stale=40, answered=60)),
    ],
    ids=["unseen-alone", "unseen", "fresh", "stale", "fewer-answered-before"],
)
def test_it_grows_with_each_feature(less: Features, more: Features):
    assert estimate(less).share < estimate(more).share


def test_by_hand_with_probes():
    found = estimate(features(0.3, 0.1, stale=80, answered=80), PLAIN)

    assert found.share == pytest.approx((0.3 + 0.1) / 2 * (80 + 20 * USUALLY_MISSED) / (80 + 20))


def test_by_hand_the_interval_widens_with_the_root():
    found = estimate(Features(0.25), PLAIN)

    assert found.low == pytest.approx(0.25 - 0.2 * 0.5)
    assert found.high == pytest.approx(0.25 + 0.2 * 0.5)


def test_what_is_under_the_resolution_keeps_its_upper_bound():
    found = estimate(Features(0.001), PLAIN)

    assert found.low == 0.0
    assert found.high == pytest.approx(0.2 * math.sqrt(RESOLUTION))


def test_few_probes_count_for_little():
    none, few, many = (
        estimate(features(0.4, 0.4, stale=0, answered=n), PLAIN).share for n in (0, 2, 200)
    )

    assert none == pytest.approx(0.4 * USUALLY_MISSED)
    assert many < 0.1 * none < 0.9 * none < few < none


def test_what_was_made_with_coefficients_is_fitted_to_them():
    made = Coefficients(per_fresh=0.7, per_unseen=0.5, spread=0.0)
    seen = [Features(at / 20) for at in range(1, 11)]
    asked = [features(at / 20, at / 20, stale=50 + at) for at in range(1, 11)]

    fitted = fit([Labelled(one, estimate(one, made).share) for one in asked])
    plain = fit([Labelled(one, estimate(one, made).share) for one in seen])

    assert fitted.per_fresh == pytest.approx(0.7)
    assert fitted.spread == pytest.approx(0.0, abs=1e-9)
    assert plain.per_unseen == pytest.approx(0.5)
    assert plain.per_fresh == plain.per_unseen


def test_a_coefficient_is_never_negative():
    fitted = fit([Labelled(Features(0.5), -0.1), Labelled(Features(0.6), -0.2)])

    assert fitted.per_unseen == 0.0


def test_pairs_far_apart_pull_no_more_than_their_distance():
    near = [Labelled(Features(0.02), 0.01)] * 10
    far = [Labelled(Features(0.8), 0.8)]

    fitted = fit([*near, *far])

    assert fitted.per_unseen == pytest.approx((10 * 0.01 + 0.8) / (10 * 0.02 + 0.8))


def test_the_spread_holds_most_labels():
    rows = [Labelled(Features(0.25), 0.125 + off / 200) for off in range(-20, 21)]

    fitted = fit(rows)
    found = estimate(Features(0.25), fitted)
    held = [found.low <= row.stale <= found.high for row in rows]

    assert 0.9 <= sum(held) / len(held) < 1.0


def test_pairs_that_did_not_move_fit_nothing():
    with pytest.raises(ValueError, match="Nothing has moved"):
        fit([Labelled(Features(0.0), 0.0)])


def test_the_levels_part_what_was_measured():
    largest_patch, smallest_major, retrained = (
        estimate(Features(unseen)).share for unseen in (0.007, 0.042, 0.15)
    )

    assert largest_patch < RESOLUTION < WATCH < smallest_major < RETRAIN <= retrained
    assert FITTED.per_fresh > FITTED.per_unseen
