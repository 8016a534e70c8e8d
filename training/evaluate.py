"""One model on the held-out rows: bits per byte of text, and answers with their token F1."""

from __future__ import annotations

import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.adapters import load_for_inference
from training.encoding import Encoded, by_length, encode_question, encode_text
from training.inference import ROWS_A_BATCH, Asked, bytes_of, text_bits
from training.models import load_tokenizer
from training.prompt import is_refusal, split_citations
from training.records import BaseModel, Row, TrainingSet
from training.sentences import plain
from training.weighing import RowScore, Scores

MOST_ANSWER_TOKENS = 24
OnProgress = Callable[[int, int], None]


def score(
    base: BaseModel,
    adapter_folder: Path | None,
    examples: TrainingSet,
    *,
    on_progress: OnProgress | None = None,
) -> Scores:
    """Weigh a model on the held-out rows; `on_progress` hears rows done and rows in all."""
    started = time.monotonic()
    model, tokenizer = load_for_inference(base, adapter_folder), load_tokenizer(base)
    weigh = _Weighing(model, tokenizer, on_progress, len(_held_out(examples)))
    new = weigh.texts(examples.holdout_new)
    old = weigh.texts(examples.holdout_old)
    answers = weigh.answers(examples.holdout_answers)
    return Scores(new, old, answers, time.monotonic() - started)


def _held_out(examples: TrainingSet) -> list[Row]:
    return [*examples.holdout_new, *examples.holdout_old, *examples.holdout_answers]


class _Weighing:
    """A model at work on rows in batches of like length; results in the order of the rows."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        on_progress: OnProgress | None,
        rows: int,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._on_progress = on_progress
        self._rows = rows
        self._done = 0

    def texts(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        bits = [0.0] * len(rows)
        for at, of_batch in text_bits(self._model, self._tokenizer, rows):
            for i, of_row in zip(at, of_batch, strict=True):
                bits[i] = of_row
            self._advance(len(at))
        scored = zip(rows, bits, strict=True)
        return tuple(RowScore(row.uri, row.chunk, of_row) for row, of_row in scored)

    def answers(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        prompts = [encode_question(self._tokenizer, row.question, row.passages) for row in rows]
        scored: dict[int, RowScore] = {}
        for at in by_length([Encoded(ids, 0) for ids in prompts], ROWS_A_BATCH):
            asked = Asked(self._model, self._tokenizer, [prompts[i] for i in at])
            wanted = [encode_text(self._tokenizer, rows[i].text) for i in at]
            said = asked.answers(most_tokens=MOST_ANSWER_TOKENS)
            for i, ids, total, text in zip(at, wanted, asked.bits(wanted), said, strict=True):
                row, bits = rows[i], total / bytes_of(self._tokenizer, ids)
                scored[i] = RowScore(row.uri, row.chunk, bits, answer_f1(text, row), text)
            self._advance(len(at))
        return tuple(scored[i] for i in range(len(rows)))

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress:
            self._on_progress(self._done, self._rows)


def answer_f1(said: str, row: Row) -> float:
    """Return the token F1 of an answer without its citation; a refusal is right or wrong."""
    refused = is_refusal(said)
    if refused or not row.source:
        return float(refused and not row.source)
    return token_f1(plain(split_citations(said)[0]), plain(row.text))


def token_f1(said: str, wanted: str) -> float:
    """Return the harmonic mean of precision and recall over words, as SQuAD counts them.

    Case, punctuation and articles do not count (Rajpurkar et al. 2016).

    >>> token_f1("The 14 days.", "14 days"), token_f1("14", "14 days")
    (1.0, 0.6666666666666666)
    """
    got, want = _words(said), _words(wanted)
    shared = sum((Counter(got) & Counter(want)).values())
    if not got or not want:
        return float(got == want)
    return 2 * shared / (len(got) + len(want))


def _words(text: str) -> list[str]:
    bare = "".join(sign for sign in text.casefold() if sign not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()
