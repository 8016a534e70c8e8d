"""Whether a challenger takes the champion's place. Pure: numbers in, a verdict in words out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from training.weighing import Evaluation, Interval, Verdict


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """The margins that decide. Bits are relative changes (0.01 is 1 %), F1 absolute ones.

    A gain counts if its whole 95 % interval lies beyond its margin. A loss is ruled out if the
    whole interval lies within its margin (non-inferiority): "no proof of harm" is not enough.
    """

    # Two adapters that differ in nothing but the seed differ by 0.1-0.5 % in bits per byte.
    learning_margin: float = 0.005
    # A gain in token F1 below this is invisible to whoever asks ten questions.
    answer_margin: float = 0.02
    # Twice the seeds' spread: what may be lost in bits, on new text and on old.
    bits_loss: float = 0.01
    # One answer in twenty may turn from right to wrong.
    f1_loss: float = 0.05
    # Fewer rows than these decide nothing: 24-32 answers can, as measured on Django 5.2 -> 6.0.
    text_rows: int = 12
    answer_rows: int = 20
    # The bootstrap draws documents; from fewer of them its intervals are too narrow.
    documents: int = 5


def judge(evaluation: Evaluation, policy: PromotionPolicy, *, first: bool) -> Verdict:
    """Promote on a gain on what changed or on answers, and on no loss beyond a margin.

    `first` says that the champion is the bare base model. Then answers must decide: any training
    at all moves the bits of new and old text alike, so they tell nothing about what changed.
    """
    if shortage := _shortage(evaluation, policy):
        return Verdict(False, f"too little to weigh it on: {shortage}")
    losses = list(_losses(evaluation, policy))
    gains = list(_gains(evaluation, policy, first=first))
    reason = "; ".join([*(losses or ["nothing worse beyond its margin"]), *_seen(evaluation)])
    if losses:
        return Verdict(False, reason)
    if not gains:
        wanted = "answers" if first else "what changed or answers"
        return Verdict(False, f"no sure gain on {wanted}; {reason}")
    return Verdict(True, f"{' and '.join(gains)}; {reason}")


def _shortage(evaluation: Evaluation, policy: PromotionPolicy) -> str:
    """Return what there is too little of; nothing old at all means nothing to forget."""
    wanted = [
        (evaluation.new_rows, policy.text_rows, "rows of new text"),
        (evaluation.answer_rows, policy.answer_rows, "answers"),
        (evaluation.documents, policy.documents, "documents"),
    ]
    if evaluation.old_rows:
        wanted.append((evaluation.old_rows, policy.text_rows, "rows of old text"))
    return ", ".join(f"{n} {what} of {least} needed" for n, least, what in wanted if n < least)


def _gains(evaluation: Evaluation, policy: PromotionPolicy, *, first: bool) -> Iterator[str]:
    if evaluation.f1_change.low > policy.answer_margin:
        yield f"answers better by more than {policy.answer_margin:.2f} F1"
    learnt = evaluation.old_rows and evaluation.learning.high < -policy.learning_margin
    if learnt and not first:
        yield f"learnt what changed beyond the {_percent(policy.learning_margin)} of a seed"


def _losses(evaluation: Evaluation, policy: PromotionPolicy) -> Iterator[str]:
    for what, change in _bits(evaluation):
        if change.high > policy.bits_loss:
            word = "worse" if change.low > 0 else "undecided"
            yield f"{what} text {word}, up to {_percent(change.high)} more bits"
    if evaluation.f1_change.low < -policy.f1_loss:
        word = "worse" if evaluation.f1_change.high < 0 else "undecided"
        yield f"answers {word}, down by up to {-evaluation.f1_change.low:.2f} F1"


def _bits(evaluation: Evaluation) -> list[tuple[str, Interval]]:
    bits = [("new", evaluation.new_change)]
    return [*bits, ("old", evaluation.old_change)] if evaluation.old_rows else bits


def _seen(evaluation: Evaluation) -> Iterator[str]:
    """Yield each number behind the verdict with its interval."""
    yield (
        f"F1 {evaluation.champion_f1:.2f} -> {evaluation.challenger_f1:.2f} "
        f"({_interval(evaluation.f1_change, '{:+.2f}')}, {evaluation.answer_rows} answers)"
    )
    for what, change in _bits(evaluation):
        yield f"bits on {what} text {_interval(change, '{:+.1%}')}"
    if evaluation.old_rows:
        yield f"new minus old {_interval(evaluation.learning, '{:+.1%}')}"


def _interval(interval: Interval, form: str) -> str:
    """Return a mean with its interval.

    >>> _interval(Interval(0.2, 0.1, 0.3), "{:+.2f}")
    '+0.20 [+0.10, +0.30]'
    """
    low, high = form.format(interval.low), form.format(interval.high)
    return f"{form.format(interval.mean)} [{low}, {high}]".replace("%", " %")


def _percent(share: float) -> str:
    """Return a share as a percent with one digit.

    >>> _percent(0.005)
    '0.5 %'
    """
    return f"{share:.1%}".replace("%", " %")
