"""Every branch of the verdict, and both sides of every limit."""

import pytest

from tests.training.builders import evaluation
from training.promotion import PromotionPolicy, judge
from training.weighing import Evaluation, Interval, Verdict

POLICY = PromotionPolicy()
NO_F1_GAIN = Interval(0.0, -0.03, 0.03)
NO_LEARNING = Interval(0.0, -0.01, 0.01)


def verdict(weighed: Evaluation, *, first: bool = False) -> Verdict:
    return judge(weighed, POLICY, first=first)


def test_better_answers_and_no_loss_promote() -> None:
    seen = verdict(evaluation(learning=NO_LEARNING), first=True)

    assert seen.promote
    assert "answers better" in seen.reason


def test_learning_what_changed_alone_promotes_a_later_adapter() -> None:
    seen = verdict(evaluation(f1_change=NO_F1_GAIN))

    assert seen.promote
    assert "learnt what changed" in seen.reason
    assert "answers better" not in seen.reason


def test_learning_alone_does_not_promote_a_first_adapter() -> None:
    seen = verdict(evaluation(f1_change=NO_F1_GAIN), first=True)

    assert not seen.promote
    assert "no sure gain on answers" in seen.reason


def test_both_gains_are_both_named() -> None:
    reason = verdict(evaluation()).reason

    assert "answers better" in reason
    assert "learnt what changed" in reason


def test_the_placebo_is_refused() -> None:
    """More of the old text moves new and old bits alike: -1.4 % and -1.2 % as once measured."""
    placebo = evaluation(
        new_change=Interval(-0.014, -0.018, -0.010),
        old_change=Interval(-0.012, -0.016, -0.008),
        learning=Interval(-0.002, -0.008, 0.003),
        f1_change=NO_F1_GAIN,
    )

    seen = verdict(placebo)

    assert not seen.promote
    assert "no sure gain" in seen.reason


def test_equal_models_are_not_promoted() -> None:
    zero = Interval(0.0, 0.0, 0.0)

    seen = verdict(evaluation(new_change=zero, old_change=zero, learning=zero, f1_change=zero))

    assert not seen.promote


@pytest.mark.parametrize(
    ("low", "promoted"), [(0.02, False), (0.0201, True)], ids=["at-the-margin", "above"]
)
def test_answers_count_only_beyond_their_margin(low: float, promoted: bool) -> None:  # noqa: FBT001
    weighed = evaluation(f1_change=Interval(0.1, low, 0.2), learning=NO_LEARNING)

    assert verdict(weighed).promote is promoted


@pytest.mark.parametrize(
    ("high", "promoted"), [(-0.005, False), (-0.0051, True)], ids=["at-the-margin", "beyond"]
)
def test_learning_counts_only_beyond_the_noise_of_a_seed(high: float, promoted: bool) -> None:  # noqa: FBT001
    weighed = evaluation(learning=Interval(-0.02, -0.04, high), f1_change=NO_F1_GAIN)

    assert verdict(weighed).promote is promoted


@pytest.mark.parametrize("text", ["new", "old"])
@pytest.mark.parametrize(
    ("high", "promoted"), [(0.01, True), (0.0101, False)], ids=["at-the-margin", "beyond"]
)
def test_a_loss_in_bits_must_be_ruled_out(text: str, high: float, promoted: bool) -> None:  # noqa: FBT001
    weighed = evaluation(**{f"{text}_change": Interval(0.0, -0.01, high)})

    seen = verdict(weighed)

    assert seen.promote is promoted
    assert (f"{text} text undecided" in seen.reason) is not promoted


@pytest.mark.parametrize(
    ("low", "promoted"), [(-0.05, True), (-0.0501, False)], ids=["at-the-margin", "beyond"]
)
def test_a_loss_in_answers_must_be_ruled_out(low: float, promoted: bool) -> None:  # noqa: FBT001
    seen = verdict(evaluation(f1_change=Interval(0.0, low, 0.05)))

    assert seen.promote is promoted
    assert ("answers undecided" in seen.reason) is not promoted


def test_a_sure_loss_is_called_worse_and_an_unsure_one_undecided() -> None:
    worse = verdict(evaluation(old_change=Interval(0.03, 0.02, 0.04)))
    worse_answers = verdict(evaluation(f1_change=Interval(-0.2, -0.3, -0.1)))

    assert "old text worse, up to 4.0 % more bits" in worse.reason
    assert "answers worse, down by up to 0.30 F1" in worse_answers.reason


def test_better_answers_do_not_buy_a_loss_elsewhere() -> None:
    """Trained on answers alone, bits rose by 4.5 % while F1 went from 0.14 to 0.74."""
    bought = evaluation(new_change=Interval(0.045, 0.035, 0.055), f1_change=Interval(0.6, 0.5, 0.7))

    assert not verdict(bought, first=True).promote


@pytest.mark.parametrize(
    ("field", "least", "named"),
    [
        ("new_rows", 12, "rows of new text"),
        ("old_rows", 12, "rows of old text"),
        ("answer_rows", 20, "answers"),
        ("documents", 5, "documents"),
    ],
)
def test_too_few_rows_decide_nothing(field: str, least: int, named: str) -> None:
    short = verdict(evaluation(**{field: least - 1}))
    enough = verdict(evaluation(**{field: least}))

    assert not short.promote
    assert f"{least - 1} {named} of {least} needed" in short.reason
    assert enough.promote


def test_without_old_text_there_is_nothing_to_forget_or_to_compare_learning_with() -> None:
    nothing = Interval(0.0, 0.0, 0.0)
    new_only = evaluation(old_rows=0, old_change=nothing)

    assert verdict(new_only).promote
    assert "old text" not in verdict(new_only).reason
    assert not verdict(evaluation(old_rows=0, f1_change=NO_F1_GAIN)).promote


def test_the_reason_carries_every_number_with_its_interval() -> None:
    reason = verdict(evaluation()).reason

    assert "F1 0.20 -> 0.50 (+0.30 [+0.20, +0.40], 40 answers)" in reason
    assert "bits on new text -5.0 % [-7.0 %, -3.0 %]" in reason
    assert "bits on old text -3.0 % [-5.0 %, -1.0 %]" in reason
    assert "new minus old -2.0 % [-3.0 %, -1.0 %]" in reason
