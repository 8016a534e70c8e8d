"""The nouns of training: base models, rows, configs, adapters, evaluations, versions, verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model as a local folder of safetensors. `digest` is the sha256 over its files."""

    name: str
    folder: Path
    digest: str


class RowKind(StrEnum):
    """What a row teaches or tests."""

    DIFFERENCE = "difference"  # text that is new since the reference
    REPLAY = "replay"  # text that was already in the reference
    ANSWER = "answer"  # a question, passages, and the words of the passage that answer it


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that a question is answered from. `title` says where it stands."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One training or holdout row, tied to the document version that it came from.

    `chunk` is the digest of the chunk behind it. For text rows `question` is empty and `text` is
    the text itself. For answer rows `passages` hold the right passage among distractors, `source`
    is its number, counted from 1, and `text` is the answer, found in it. If no passage holds the
    answer, `source` is 0 and `text` is the refusal.
    """

    kind: RowKind
    uri: str
    document_digest: str
    chunk: str
    text: str
    question: str = ""
    passages: tuple[Passage, ...] = ()
    source: int = 0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows to train on and rows to weigh on, disjoint by document. `digest` names all of it."""

    reference: str
    current: str
    train: tuple[Row, ...]
    holdout_new: tuple[Row, ...]
    holdout_old: tuple[Row, ...]
    holdout_answers: tuple[Row, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """The numbers of one training run, saved with the adapter.

    Defaults are for a model of about a hundred million weights on two CPU cores. The shares say
    what the token budget is spent on; `refusal_share` is the part of the answers that are a
    refusal. `holdout_salt` draws the held-out documents: it stays, or a champion is weighed on
    documents that it was trained on.
    """

    rank: int = 16
    alpha: int = 32
    # Dropout in LoRA costs 40 % of the speed on a CPU, and one pass over the text needs none.
    dropout: float = 0.0
    # Scrapy 2.10 -> 2.15, F1 after 19k tokens: 0.16 with 5e-4, 0.31 with 1e-3.
    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    # Many small steps: 31 steps of 4 rows leave F1 where it was, 56 of 2 double it.
    batch_rows: int = 2
    max_row_tokens: int = 384
    # Scrapy 2.10 -> 2.15: with 32,000 tokens and 40 answers the gain in F1 was once +0.19 with an
    # interval down to +0.02; with these +0.31, down to +0.14.
    budget_tokens: int = 44_000
    difference_share: float = 0.25
    replay_share: float = 0.10
    answer_share: float = 0.65
    refusal_share: float = 0.20
    epochs: int = 3
    holdout_share: float = 0.25
    holdout_text_rows: int = 24
    holdout_answer_rows: int = 64
    holdout_salt: str = "holdout"
    seed: int = 17


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What one optimiser step reports: for the progress bar and the step metrics."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Adapter:
    """LoRA weights and their `adapter_config.json` in a folder; `digest` over both files."""

    folder: Path
    digest: str
    base_digest: str
    tokens: int
    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class RowScore:
    """One holdout row, weighed. `bits` is bits per byte; `f1` only on answer rows."""

    uri: str
    chunk: str
    bits: float
    f1: float | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on the holdout, in the order of the training set's holdout rows."""

    new: tuple[RowScore, ...]
    old: tuple[RowScore, ...]
    answers: tuple[RowScore, ...]
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of paired differences with its 95 % interval, bootstrapped by document."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Champion and challenger on the same rows.

    Means are plain; bits are bits per byte (lower is better), F1 is token F1 (higher is better).
    Changes are challenger minus champion: relative for bits (-0.08 is 8 % fewer bits), absolute
    for F1. `learning` is the relative change on new text minus that on old text, which more
    training alone does not move.
    """

    champion_new_bits: float
    challenger_new_bits: float
    champion_old_bits: float
    challenger_old_bits: float
    champion_f1: float
    challenger_f1: float
    new_change: Interval
    old_change: Interval
    learning: Interval
    f1_change: Interval
    new_rows: int
    old_rows: int
    answer_rows: int
    documents: int
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the registry: an adapter, or the bare base model if `adapter_digest` is "".

    `snapshot` is what it was trained on; for the bare base model the snapshot it first answered
    from, since everything later is news to whoever relies on it.
    """

    name: str
    version: int
    snapshot: str
    base_digest: str
    adapter_digest: str
    adapter_folder: Path | None
    run_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and the numbers of the passages behind it, counted from 1."""

    text: str
    citations: tuple[int, ...]
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or not, with the reason in words."""

    promote: bool
    reason: str
