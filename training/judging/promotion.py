"""Whether a challenger takes the champion's place. Pure: numbers in, a verdict in words out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from training.weighing import Change, Choice, Evaluation, Interval, Verdict


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """The margins that decide. Bits are relative changes (0.01 is 1 %), all else is absolute.

    Learning counts if its whole interval lies beyond its margin, a gain in answers if its interval
    lies over zero and its mean reaches its margin. A loss is ruled out if the whole interval lies
    within its margin (non-inferiority): "no proof of harm" is not enough.
    """

    # Two adapters that differ in nothing but the seed differ by 0.1-0.5 % in bits per byte.
    learning_margin: float = 0.005
    # A gain in token F1 below this is invisible to whoever asks ten questions.
    answer_margin: float = 0.02
    # Twice the seeds' spread: what may be lost in bits, on new text and on old.
    bits_loss: float = 0.01
    # Going on at twice today's rate cost 0.4-1.7 %, with intervals up to 2.2 %.
    general_loss: float = 0.03
    # 64 answers that differ as two seeds do leave an interval of 0.13 to either side.
    f1_loss: float = 0.15
    # 13 refusals, of which training by another seed loses two or gains two, leave 0.47 open.
    abstention_loss: float = 0.50
    # Of 51 questions whose answer is there; seeds differ by a tenth, and F1 counts each as wrong.
    refusals_rise: float = 0.25
    # A base model never refuses, and answers one in ten: what an adapter refuses of the rest
    # already counts as wrong in F1. It may not refuse half of all.
    first_refusals_rise: float = 0.50
    # 10 facts of which none is answered otherwise leave 0.27 open.
    stale_rise: float = 0.30
    # Fewer rows than these decide nothing: 24-32 answers can, as measured on Django 5.2 -> 6.0.
    text_rows: int = 12
    answer_rows: int = 20
    # Of a part of the answers, or of general text, fewer can prove harm, but not its absence.
    part_rows: int = 10
    # The bootstrap draws documents; from fewer of them its intervals are too narrow.
    documents: int = 5


class _State(StrEnum):
    WORSE = "worse"
    UNDECIDED = "undecided"
    KEPT = "not worse"
    UNSEEN = "not judged"


@dataclass(frozen=True, slots=True)
class _Limit:
    """How much of one measure may be lost. Of a rise, `more` says that it is a gain."""

    label: str
    change: Change
    margin: float
    more: bool = False
    relative: bool = False
    least: int = 0
    documents: int = 0

    @property
    def state(self) -> _State:
        """What the interval says; with too few rows or documents only a sure loss counts.

        Where a rise is to be ruled out and the challenger does none of it, there is none.
        """
        worst, best = self._losses
        if worst > self.margin and best > 0:
            return _State.WORSE
        if self.change.rows < max(1, self.least) or self.change.documents < self.documents:
            return _State.UNSEEN
        none_seen = not (self.more or self.relative or self.change.challenger)
        return _State.KEPT if none_seen or worst <= self.margin else _State.UNDECIDED

    @property
    def _losses(self) -> tuple[float, float]:
        """The greatest and the least loss in the interval; a gain is below zero."""
        low, high = self.change.change.low, self.change.change.high
        return (-low, -high) if self.more else (high, low)

    @property
    def text(self) -> str:
        """The measure with its numbers, and what may be lost where that is in question."""
        if not self.change.rows:
            return f"{self.label} (no rows)"
        if self.state is _State.UNSEEN:
            rows, documents = self.change.rows, self.change.documents
            return f"{self.label} ({rows} rows of {self.least}, from {documents} documents)"
        told = f"{self.label} {_told(self.change, relative=self.relative)}"
        if self.state is _State.KEPT:
            return told
        return f"{told} against {_number(self.margin, relative=self.relative)} allowed"


@dataclass(frozen=True, slots=True)
class _Gain:
    """Something that counts for the challenger; `units` is the gain in units of its margin."""

    text: str
    units: float


def judge(evaluation: Evaluation, policy: PromotionPolicy, *, first: bool) -> Verdict:
    """Promote on a gain on what changed and on no loss beyond a margin.

    `first` says that the champion is the bare base model. Then answers must decide: any training
    at all moves the bits of new and old text alike. Against an adapter it is the other way round:
    answers improve with any more training, so only what sets new apart from old counts.
    """
    if shortage := _shortage(evaluation, policy):
        return Verdict(False, f"too little to weigh it on: {shortage}")
    limits = list(_limits(evaluation, policy, first=first))
    gains = list(_gains(evaluation, policy, first=first))
    harmed = any(limit.state in (_State.WORSE, _State.UNDECIDED) for limit in limits)
    said = _gain_words(gains, evaluation, first=first)
    kept = [words for state in _State if (words := _of_state(state, limits))]
    parts = [*kept, said] if harmed else [said, *kept]
    return Verdict(bool(gains) and not harmed, "; ".join(parts))


def _of_state(state: _State, limits: Sequence[_Limit]) -> str:
    named = [limit.text for limit in limits if limit.state is state]
    return f"{state}: {', '.join(named)}" if named else ""


def choose(evaluations: Sequence[Evaluation], policy: PromotionPolicy, *, first: bool) -> Choice:
    """Return the checkpoint that passes with the largest gain, or else the last with its verdict.

    `evaluations` stand in the order in which the checkpoints were trained; of equal gains the
    later one is taken. Raises ValueError if there are none, or if their intervals are not wide
    enough for as many looks.
    """
    _require_wide(evaluations)
    verdicts = [judge(each, policy, first=first) for each in evaluations]
    passed = [at for at, verdict in enumerate(verdicts) if verdict.promote]
    last = len(verdicts) - 1
    if not passed:
        verdict = verdicts[last]
        if last:
            others = f"none of {len(verdicts)} checkpoints passed, the last one: {verdict.reason}"
            verdict = Verdict(False, others)
        return Choice(last, verdict)

    def units(at: int) -> tuple[float, int]:
        gains = _gains(evaluations[at], policy, first=first)
        return max(gain.units for gain in gains), at

    best = max(passed, key=units)
    return Choice(best, verdicts[best])


def _require_wide(evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        msg = "No checkpoint to choose from: weigh at least one."
        raise ValueError(msg)
    looks = len(evaluations)
    narrow = min(each.confidence for each in evaluations)
    if narrow < 1 - 0.05 / looks - 1e-9:
        msg = (
            f"Intervals at {narrow:.1%} are too narrow to choose among {looks} checkpoints: "
            f"compare the scores with looks={looks}."
        )
        raise ValueError(msg.replace("%", " %"))


def _shortage(evaluation: Evaluation, policy: PromotionPolicy) -> str:
    """Return what there is too little of; nothing old at all means nothing to forget."""
    wanted = [
        (evaluation.new.rows, policy.text_rows, "rows of new text"),
        (evaluation.f1.rows, policy.answer_rows, "answers"),
        (evaluation.documents, policy.documents, "documents"),
    ]
    if evaluation.old.rows:
        wanted.append((evaluation.old.rows, policy.text_rows, "rows of old text"))
    return ", ".join(f"{n} {what} of {least} needed" for n, least, what in wanted if n < least)


def _limits(evaluation: Evaluation, policy: PromotionPolicy, *, first: bool) -> Iterator[_Limit]:
    """Yield everything that must not get worse, with the margin that it has."""
    part, few = policy.part_rows, policy.documents
    rise = policy.first_refusals_rise if first else policy.refusals_rise
    yield _Limit("new text", evaluation.new, policy.bits_loss, relative=True)
    yield _Limit("old text", evaluation.old, policy.bits_loss, relative=True)
    yield _Limit("general text", evaluation.general, policy.general_loss, relative=True, least=part)
    yield _Limit("answers", evaluation.f1, policy.f1_loss, more=True)
    yield _Limit(
        "refusals of what is absent",
        evaluation.abstention,
        policy.abstention_loss,
        more=True,
        least=part,
        documents=few,
    )
    yield _Limit("refusals of what is there", evaluation.refusals, rise, least=part, documents=few)
    yield _Limit("stale memory", evaluation.stale, policy.stale_rise, least=part, documents=few)


def _gains(evaluation: Evaluation, policy: PromotionPolicy, *, first: bool) -> Iterator[_Gain]:
    """Yield what may promote.

    Each kind of evidence is false in at most one of forty, so both together in one of twenty.
    """
    if _answers_decide(evaluation, first=first):
        answers = evaluation.f1.change
        if answers.low > policy.answer_margin:
            text = f"answers {_told(evaluation.f1)}"
            yield _Gain(text, answers.mean / policy.answer_margin)
        return
    learning = evaluation.learning
    if learning.rows and learning.change.high < -policy.learning_margin:
        text = f"learnt what changed, new minus old text {_told(learning, relative=True)}"
        yield _Gain(text, -learning.change.mean / policy.learning_margin)
    beyond, fresh = evaluation.answer_learning, evaluation.fresh_f1
    if _sure(beyond.change, policy.answer_margin) and _sure(fresh.change, policy.answer_margin):
        text = (
            f"answers about what changed {_told(fresh)}, {_told(beyond)} beyond those about the old"
        )
        yield _Gain(text, beyond.change.mean / policy.answer_margin)


def _answers_decide(evaluation: Evaluation, *, first: bool) -> bool:
    """Return True for a first adapter, and where nothing old is left to set the new apart from."""
    return first or not (evaluation.learning.rows or evaluation.answer_learning.rows)


def _sure(interval: Interval, margin: float) -> bool:
    """Return True if the whole interval lies over zero and its mean reaches the margin."""
    return interval.low > 0 and interval.mean >= margin


def _gain_words(gains: Sequence[_Gain], evaluation: Evaluation, *, first: bool) -> str:
    """Return what was better, or the numbers that were not enough."""
    if gains:
        return f"better: {' and '.join(gain.text for gain in gains)}"
    if _answers_decide(evaluation, first=first):
        return f"no sure gain on answers: {_told(evaluation.f1)}"
    learning = _or_absent(evaluation.learning, "no old text to compare with", relative=True)
    beyond = _or_absent(evaluation.answer_learning, "no questions about it")
    return (
        "no sure gain on what changed beyond what any training brings: new minus old text "
        f"{learning}, answers about new minus old {beyond}"
    )


def _or_absent(change: Change, absent: str, *, relative: bool = False) -> str:
    return _told(change, relative=relative) if change.rows else absent


def _told(change: Change, *, relative: bool = False) -> str:
    """Return a change with its interval, and its levels where they mean something.

    >>> _told(Change(0.2, 0.4, Interval(0.2, 0.1, 0.3), 40))
    '0.20 -> 0.40 (+0.20 [+0.10, +0.30], 40 rows)'
    >>> _told(Change(2.0, 1.9, Interval(-0.05, -0.06, -0.04), 24), relative=True)
    '-5.0 % [-6.0 %, -4.0 %]'
    """
    form = "{:+.1%}" if relative else "{:+.2f}"
    low, high = form.format(change.change.low), form.format(change.change.high)
    text = f"{form.format(change.change.mean)} [{low}, {high}]".replace("%", " %")
    if relative or not (change.champion or change.challenger):
        return text
    return f"{change.champion:.2f} -> {change.challenger:.2f} ({text}, {change.rows} rows)"


def _number(value: float, *, relative: bool) -> str:
    """Return a margin as a percent or as a share.

    >>> _number(0.01, relative=True), _number(0.1, relative=False)
    ('1.0 %', '0.10')
    """
    return f"{value:.1%}".replace("%", " %") if relative else f"{value:.2f}"
