"""What surprise promises: hard text is not drift, intervals hold, and both sides of each limit."""

import math

import numpy as np
import pytest

from monitors.signals import surprise
from monitors.signals.surprise import LEAST_DOCUMENTS, LEAST_PASSAGES, Bits, measure, signal

NONE = Bits((), ())


def bits(
    seed: int,
    *,
    documents: int = 20,
    passages: int = 3,
    saved: float = 0.2,
    hard: float = 1.3,
    control: bool = True,
    named: str = "d",
) -> Bits:
    """Return bits of made-up passages: an adapter that saves about this share of the base's."""
    random = np.random.default_rng(seed)
    names = [f"{named}{n}" for n in range(documents) for _ in range(passages)]
    habits = np.repeat(random.normal(0, 0.02, documents), passages)
    base = hard * np.exp(random.normal(0, 0.25, len(names)))
    champion = base * (1 - saved + habits + random.normal(0, 0.03, len(names)))
    plain = tuple(base.tolist()) if control else None
    return Bits(tuple(names), tuple(champion.tolist()), plain)


def level(champion: float, base: float | None = None, *, documents: int = 10) -> Bits:
    """Return two passages a document that all cost the same: nothing is left to chance."""
    names = tuple(f"d{n}" for n in range(documents)) * 2
    plain = None if base is None else (base,) * len(names)
    return Bits(names, (champion,) * len(names), plain)


def harder(side: Bits, factor: float) -> Bits:
    assert side.base is not None
    return Bits(
        side.documents,
        tuple(factor * cost for cost in side.champion),
        tuple(factor * cost for cost in side.base),
    )


@pytest.mark.parametrize("control", [True, False], ids=["adapter", "bare base"])
def test_a_sample_does_not_surprise_beside_itself(control: bool) -> None:  # noqa: FBT001
    side = bits(1, control=control)

    seen = measure(side, side)

    assert (seen.score, seen.low, seen.high) == pytest.approx((0, 0, 0))


@pytest.mark.parametrize("control", [True, False], ids=["adapter", "bare base"])
def test_the_order_of_passages_does_not_matter(control: bool) -> None:  # noqa: FBT001
    new, old = bits(1, control=control), bits(2, control=control, named="e")
    turned = Bits(new.documents[::-1], new.champion[::-1], new.base and new.base[::-1])

    one, other = measure(new, old), measure(turned, old)

    assert (one.score, one.low, one.high) == pytest.approx((other.score, other.low, other.high))


def test_text_that_is_harder_for_both_models_is_no_drift() -> None:
    new, old = bits(1), bits(2)

    assert measure(harder(new, 1.7), old).score == pytest.approx(measure(new, old).score)


def test_the_score_is_what_the_adapter_saves_less_on_new_text() -> None:
    seen = measure(level(0.9, 1.0), level(1.5, 2.0))

    assert seen.score == pytest.approx((1 - 1.5 / 2.0) - (1 - 0.9 / 1.0))
    assert (seen.saved_new, seen.saved_old) == pytest.approx((0.1, 0.25))
    assert (seen.new_bits, seen.old_bits) == pytest.approx((0.9, 1.5))


def test_without_a_control_the_score_is_how_much_more_new_text_costs() -> None:
    seen = measure(level(1.2), level(1.0))

    assert seen.score == pytest.approx(0.2)
    assert seen.saved_new is seen.saved_old is None


def test_the_score_grows_as_the_adapter_saves_less() -> None:
    scores = [measure(bits(1, saved=saved), bits(2)).score for saved in (0.2, 0.15, 0.1, 0.0)]

    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


@pytest.mark.parametrize("control", [True, False], ids=["adapter", "bare base"])
def test_the_interval_covers_as_often_as_it_promises(control: bool) -> None:  # noqa: FBT001
    missed = 0
    for seed in range(200):
        new = bits(2 * seed, control=control, documents=12)
        old = bits(2 * seed + 1, control=control, documents=12, named="e")
        seen = measure(new, old)
        missed += not seen.low <= 0 <= seen.high

    # Of 200 intervals that miss 6 %, 12 do; three standard deviations above are 22.
    assert missed <= 22


def test_passages_of_one_document_are_not_taken_for_independent() -> None:
    few, old = bits(1, documents=10, passages=1), bits(2, named="e")
    copied = Bits(few.documents * 9, few.champion * 9, few.base and few.base * 9)

    one, nine = measure(few, old), measure(copied, old)

    assert nine.high - nine.low == pytest.approx(one.high - one.low)


def test_the_same_places_before_and_now_are_told_apart_more_surely() -> None:
    was = bits(1, control=False, passages=1)
    now = Bits(was.documents, tuple(cost * 1.02 for cost in was.champion))
    other = bits(2, control=False, passages=1, named="e")

    paired, apart = measure(now, was), measure(now, other)

    assert paired.low > 0
    assert paired.high - paired.low < (apart.high - apart.low) / 3


def test_the_seed_and_nothing_else_decides_the_draws() -> None:
    new, old = bits(1), bits(2)

    assert measure(new, old, seed=1) == measure(new, old, seed=1)
    assert measure(new, old, seed=1).low != measure(new, old, seed=2).low


def test_drifted_means_that_the_whole_interval_is_over_the_threshold() -> None:
    new, old = bits(1, saved=0.1), bits(2)
    low = measure(new, old).low

    at = signal(new, old, NONE, NONE, threshold=low)
    under = signal(new, old, NONE, NONE, threshold=math.nextafter(low, -1))

    assert (at.drifted, under.drifted) == (False, True)
    assert (at.name, at.score, at.low) == ("surprise", measure(new, old).score, low)


def test_without_a_control_nothing_has_drifted_however_hard_the_text() -> None:
    found = signal(level(3.0), level(1.0), NONE, NONE)

    assert found.score == pytest.approx(2.0)
    assert not found.drifted
    assert "how hard the text is" in found.reason


@pytest.mark.parametrize(
    ("passages", "documents", "measured"),
    [
        (LEAST_PASSAGES, LEAST_DOCUMENTS, True),
        (LEAST_PASSAGES - 1, LEAST_DOCUMENTS, False),
        (LEAST_PASSAGES, LEAST_DOCUMENTS - 1, False),
        (0, 0, False),
    ],
    ids=["enough", "one-passage-too-few", "one-document-too-few", "nothing"],
)
@pytest.mark.parametrize("short_of", ["new", "old"])
def test_too_little_on_either_side_is_said_and_not_measured(
    passages: int,
    documents: int,
    measured: bool,  # noqa: FBT001 - a column of a table
    short_of: str,
) -> None:
    little = Bits(tuple(f"d{n % max(1, documents)}" for n in range(passages)), (1.0,) * passages)
    plenty = level(1.0)
    new, old = (little, plenty) if short_of == "new" else (plenty, little)

    found = signal(new, old, NONE, NONE)

    assert (found.score is not None) is measured
    assert found.drifted is False
    assert found.reason.startswith("not measured: ") is not measured


def test_the_reason_names_the_savings_and_the_interval() -> None:
    found = signal(level(0.9, 1.0), level(1.5, 2.0), NONE, NONE)

    assert found.drifted
    assert "saves 10.0 % of its base's bits on new text and 25.0 % on old" in found.reason
    assert "+15.0 % [+15.0, +15.0], surely over 0.5 %" in found.reason
    assert "edited places" not in found.reason


def test_the_reason_names_edited_places_where_there_are_enough() -> None:
    new, old = level(0.9, 1.0), level(1.5, 2.0)

    found = signal(new, old, level(1.1, 1.0), level(1.0, 1.0))

    assert "in 20 edited places, now against before: +10.0 %" in found.reason


def test_what_could_not_be_measured_never_counts_as_no_drift() -> None:
    found = surprise.unmeasured("the adapter is damaged")

    assert (found.score, found.drifted) == (None, False)
    assert found.reason == "not measured: the adapter is damaged"
