"""The nouns of weighing: scores, paired changes, evaluations and verdicts. Standard library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from training.records import RowKind


@dataclass(frozen=True, slots=True)
class RowScore:
    """One holdout row, weighed. `bits` is bits per byte of what the row tells.

    Only answer rows have the rest: token F1, whether the answer holds the wanted words exactly,
    whether it was a refusal, whether it gives what was true of the reference instead of what is
    true now (None where nothing changed), and the answer itself. `answerable` is False where the
    refusal is right. Of cloze rows `exact` says that the key word was the likeliest.
    """

    uri: str
    chunk: str
    bits: float
    kind: RowKind = RowKind.DIFFERENCE
    fresh: bool = False
    answerable: bool = True
    f1: float | None = None
    exact: bool | None = None
    refused: bool | None = None
    stale: bool | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on the holdout, in the order of the training set's holdout rows.

    `seconds` is what weighing took in all; `answer_seconds` and `answer_tokens` are what its own
    answers took, all of them together.
    """

    new: tuple[RowScore, ...]
    old: tuple[RowScore, ...]
    answers: tuple[RowScore, ...]
    cloze: tuple[RowScore, ...] = ()
    general: tuple[RowScore, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    answer_seconds: float = field(default=0.0, compare=False)
    answer_tokens: int = 0

    @property
    def rows(self) -> tuple[RowScore, ...]:
        """Every row, part after part."""
        return (*self.new, *self.old, *self.answers, *self.cloze, *self.general)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of paired differences with its interval, bootstrapped by document."""

    mean: float
    low: float
    high: float


NONE = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """Both models' means of one measure, and challenger minus champion on the same rows.

    `change` is relative for bits per byte (-0.08 is 8 % fewer bits) and absolute for all else.
    """

    champion: float = 0.0
    challenger: float = 0.0
    change: Interval = NONE
    rows: int = 0
    documents: int = 0


@dataclass(frozen=True, slots=True)
class TopicScore:
    """One part of the corpus: how many answers and text rows it has, and both models' means."""

    topic: str
    answers: int
    champion_f1: float
    challenger_f1: float
    texts: int
    champion_bits: float
    challenger_bits: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Champion and challenger on the same rows, measure by measure.

    Of bits (bits per byte) lower is better: `new`, `old` and `general` text, and the key words of
    `cloze_bits`. `learning` is the relative change on new text minus that on old text, which more
    training alone does not move; lower is better. Of the others, all shares or F1 from 0 to 1,
    higher is better for `f1`, `changed_f1` (questions about facts that changed), `fresh_f1`
    (questions about any new text), `answer_learning` (the change on those minus that on questions
    about old text, which better reading alone does not move), `exact`, `abstention` (refusals
    where the answer is absent) and `cloze`; lower for `refusals` (where the answer is there) and
    `stale` (the old fact given although the new one is in the passage). `confidence` is that of
    every interval, `scored` the share of rows that got a finite score from both.
    """

    new: Change
    old: Change
    learning: Change
    f1: Change
    general: Change = Change()
    changed_f1: Change = Change()
    fresh_f1: Change = Change()
    answer_learning: Change = Change()
    exact: Change = Change()
    abstention: Change = Change()
    refusals: Change = Change()
    stale: Change = Change()
    cloze: Change = Change()
    cloze_bits: Change = Change()
    topics: tuple[TopicScore, ...] = ()
    documents: int = 0
    confidence: float = 0.95
    scored: float = 1.0
    champion_answer_seconds: float = field(default=0.0, compare=False)
    challenger_answer_seconds: float = field(default=0.0, compare=False)
    champion_answer_tokens: float = 0.0
    challenger_answer_tokens: float = 0.0
    seconds: float = field(default=0.0, compare=False)

    @property
    def measures(self) -> Iterator[tuple[str, Change]]:
        """Every measure by its name, in the order of the fields."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Change):
                yield each.name, value


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or not, with the reason in words: what was better, worse, undecided."""

    promote: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a training's checkpoints was taken, counted from 0, and the verdict on it."""

    index: int
    verdict: Verdict
