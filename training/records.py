"""The nouns of training: base models, rows, configs, adapters, model versions, answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    CORRECTION = "correction"  # an answer whose fact is another, or gone, since the reference
    CHAT = "chat"  # a conversation of the user's own
    CLOZE = "cloze"  # the words before a key word, and that word; no passage
    GENERAL = "general"  # text that is about none of the corpus


ASKED = frozenset({RowKind.ANSWER, RowKind.CORRECTION})
"""Rows with a question and passages."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that a question is answered from. `title` says where it stands."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side of a conversation said. `role` is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A document by its uri and the digest of its bytes."""

    uri: str
    digest: str


@dataclass(frozen=True, slots=True)
class Row:
    """One training or holdout row, tied to the document versions that it came from.

    `chunk` is the digest of the chunk behind it. For text rows `text` is the text itself. For
    answer rows `passages` hold the right passage among distractors, `source` is its number,
    counted from 1, and `text` is the answer, found in it. If no passage holds the answer, `source`
    is 0 and `text` is the refusal. `fresh` says that it is about text which the reference lacks,
    `stale` is what the reference answered where that is another answer, and `others` are the
    documents behind the distractors and the stale answer. A cloze row's `question` is the text up
    to the key word; that of a text row to weigh on is the line that says where it stands, which
    is read and not told. A chat row's `turns` come before `text`, the reply.
    """

    kind: RowKind
    uri: str
    document_digest: str
    chunk: str
    text: str
    question: str = ""
    passages: tuple[Passage, ...] = ()
    source: int = 0
    fresh: bool = False
    stale: str = ""
    turns: tuple[Turn, ...] = ()
    others: tuple[DocumentVersion, ...] = ()

    @property
    def documents(self) -> tuple[DocumentVersion, ...]:
        """Every document version whose text is in the row, the one it is about first."""
        return tuple(dict.fromkeys((DocumentVersion(self.uri, self.document_digest), *self.others)))


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
    holdout_cloze: tuple[Row, ...] = ()
    holdout_general: tuple[Row, ...] = ()


class Start(StrEnum):
    """Which weights a training starts from; each falls back on the ones before it."""

    BASE = "base"  # the base model, with a fresh adapter
    CHAMPION = "champion"  # the adapter that serves
    CHALLENGER = "challenger"  # the newest adapter that was weighed, promoted or not


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a token budget is spent on, in shares, and how fast is learnt from it.

    What a part cannot use goes to the others.
    """

    difference: float
    replay: float
    answer: float
    correction: float
    learning_rate: float
    refusal: float  # of the questions, those that the passages do not answer


# A first adapter has to learn to answer. Scrapy 2.10 -> 2.15, F1 after 19,000 tokens: 0.16 with
# 5e-4, 0.31 with 1e-3.
FIRST = Recipe(
    difference=0.25, replay=0.10, answer=0.50, correction=0.15, learning_rate=1e-3, refusal=0.20
)
# One that goes on has to learn the news and not to forget how to answer. Scrapy's F1 of 0.42 went
# to 0.38 with a quarter of the budget for questions, to 0.39 with a third, to 0.47 with a half. At
# 1e-3 general text lost 1.5 %, and one of three refused half of what its passages answered. Going
# on unlearns refusing: of 13 questions without an answer Scrapy's champion refused 6, three later
# adapters 1-2 with a fifth of refusals, 6-7 with 27 %, 6-11 with 35 % (and a third of the rest,
# where the champion refused a sixth).
LATER = Recipe(
    difference=0.35, replay=0.05, answer=0.50, correction=0.10, learning_rate=5e-4, refusal=0.27
)


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """The numbers of one training run, saved with the adapter.

    Defaults are for a model of about a hundred million weights on two CPU cores. The shares say
    what the token budget is spent on, like the learning rate for a first adapter. `refusal_share`
    is the part of the answers that are a refusal. An optimiser step takes `batch_rows` rows, at
    most `micro_rows` at a time (None: all at once). `packing` and `gradient_checkpointing` are
    None for "where there is a GPU". `holdout_salt` draws the held-out documents: it stays, or a
    champion is weighed on documents that it was trained on.
    """

    rank: int = 16
    alpha: int = 32
    # Dropout in LoRA costs 40 % of the speed on a CPU, and one pass over the text needs none.
    dropout: float = 0.0
    learning_rate: float = FIRST.learning_rate
    warmup_share: float = 0.1
    # Many small steps: 31 steps of 4 rows leave F1 where it was, 56 of 2 double it.
    batch_rows: int = 2
    max_row_tokens: int = 384
    # Scrapy 2.10 -> 2.15: with 32,000 tokens and 40 answers the gain in F1 was once +0.19 with an
    # interval down to +0.02; with these +0.31, down to +0.14.
    budget_tokens: int = 44_000
    difference_share: float = FIRST.difference
    replay_share: float = FIRST.replay
    answer_share: float = FIRST.answer
    correction_share: float = FIRST.correction
    chat_share: float = 0.0
    refusal_share: float = FIRST.refusal
    epochs: int = 3
    start: Start = Start.CHAMPION
    micro_rows: int | None = None
    packing: bool | None = None
    gradient_checkpointing: bool | None = None
    four_bit: bool = False
    # A kill loses at most a tenth of the work.
    checkpoint_share: float = 0.1
    # How many of the kept checkpoints are weighed, the last one first.
    candidates: int = 1
    samples: int = 2
    holdout_share: float = 0.25
    # Django 4.2 -> 5.2, learning over its standard error: 2.3 with 32 rows a side, 3.0 with 48, 3.6
    # with 96.
    holdout_text_rows: int = 64
    holdout_answer_rows: int = 64
    holdout_cloze_rows: int = 32
    holdout_general_rows: int = 16
    holdout_salt: str = "holdout"
    seed: int = 17

    def by(self, recipe: Recipe) -> FinetuneConfig:
        """Return the same numbers with the shares and the learning rate of a recipe."""
        return replace(
            self,
            difference_share=recipe.difference,
            replay_share=recipe.replay,
            answer_share=recipe.answer,
            correction_share=recipe.correction,
            learning_rate=recipe.learning_rate,
            refusal_share=recipe.refusal,
        )


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
class Sample:
    """What the adapter of one step answers to a held-out question, beside what the text says."""

    step: int
    question: str
    wanted: str
    said: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """LoRA weights and their `adapter_config.json` in a folder; `digest` over both files.

    `started_from` is the digest of the adapter that the training began with, "" for none.
    """

    folder: Path
    digest: str
    base_digest: str
    tokens: int
    rank: int = 0
    started_from: str = ""
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
