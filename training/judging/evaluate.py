"""One model on the held-out rows: bits per byte of text, key words, and its own answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import Encoded, by_length, encode_question, encode_text
from training.judging.answer_scores import answer_score
from training.judging.inference import ROWS_A_BATCH, Asked, bytes_of, text_bits, told_words
from training.judging.passages import MOST_TOKENS
from training.models.adapters import load_for_inference
from training.models.loading import load_tokenizer
from training.records import BaseModel, Row, TrainingSet
from training.weighing import RowScore, Scores

MOST_ANSWER_TOKENS = 24
# A step of generation takes 1.3 times as long for 16 rows as for 8: it reads every weight anyway.
ANSWERS_A_BATCH = 16
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
    weigh = _Weighing(model, tokenizer, on_progress, len(held_out(examples)))
    new = weigh.texts(examples.holdout_new)
    old = weigh.texts(examples.holdout_old)
    answers = weigh.answers(examples.holdout_answers)
    return Scores(
        new=new,
        old=old,
        answers=answers,
        cloze=weigh.cloze(examples.holdout_cloze),
        general=weigh.texts(examples.holdout_general),
        seconds=time.monotonic() - started,
        answer_seconds=weigh.answer_seconds,
        answer_tokens=weigh.answer_tokens,
    )


def held_out(examples: TrainingSet) -> list[Row]:
    """Return every row that a model is weighed on, part after part."""
    return [
        *examples.holdout_new,
        *examples.holdout_old,
        *examples.holdout_answers,
        *examples.holdout_cloze,
        *examples.holdout_general,
    ]


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
        self.answer_seconds = 0.0
        self.answer_tokens = 0

    def texts(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        bits = [0.0] * len(rows)
        for at, of_batch in text_bits(self._model, self._tokenizer, rows):
            for i, of_row in zip(at, of_batch, strict=True):
                bits[i] = of_row
            self._advance(len(at))
        scored = zip(rows, bits, strict=True)
        return tuple(
            RowScore(row.uri, row.chunk, of_row, kind=row.kind, fresh=row.fresh)
            for row, of_row in scored
        )

    def cloze(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        """Weigh key words on the text before them: no passage, and nothing generated."""
        encoded = [encode_cloze(self._tokenizer, row) for row in rows]
        scored: dict[int, RowScore] = {}
        for at in by_length(encoded, ROWS_A_BATCH):
            batch = [encoded[i] for i in at]
            words = told_words(self._model, int(self._tokenizer.pad_token_id), batch)
            for i, word, row in zip(at, words, batch, strict=True):
                bits = word.bits / bytes_of(self._tokenizer, row.ids[-row.told :])
                uri, chunk, kind, fresh = rows[i].uri, rows[i].chunk, rows[i].kind, rows[i].fresh
                scored[i] = RowScore(uri, chunk, bits, kind, fresh, exact=word.likeliest)
            self._advance(len(at))
        return tuple(scored[i] for i in range(len(rows)))

    def answers(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        prompts = [encode_question(self._tokenizer, row.question, row.passages) for row in rows]
        scored: dict[int, RowScore] = {}
        for at in by_length([Encoded(ids, 0) for ids in prompts], ANSWERS_A_BATCH):
            started = time.monotonic()
            asked = Asked(self._model, self._tokenizer, [prompts[i] for i in at])
            said = asked.said(most_tokens=MOST_ANSWER_TOKENS)
            self.answer_seconds += time.monotonic() - started
            self.answer_tokens += sum(each.tokens for each in said)
            wanted = [encode_text(self._tokenizer, rows[i].text) for i in at]
            totals = asked.bits(wanted)
            for i, ids, total, own in zip(at, wanted, totals, said, strict=True):
                bits = total / bytes_of(self._tokenizer, ids)
                scored[i] = answer_score(rows[i], bits=bits, said=own.text)
            self._advance(len(at))
        return tuple(scored[i] for i in range(len(rows)))

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress:
            self._on_progress(self._done, self._rows)


def encode_cloze(tokenizer: Tokenizer, row: Row) -> Encoded:
    """Return the text up to the key word, cut from the left, and the word as what is told.

    White space between them goes to the word: that is how tokenizers of this family cut.
    """
    lead = row.question.rstrip()
    before = encode_text(tokenizer, lead)
    told = encode_text(tokenizer, row.question[len(lead) :] + row.text)
    kept = max(1, MOST_TOKENS - len(told))
    return Encoded([*before[-kept:], *told], len(told))
