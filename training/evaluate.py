"""One model on the held-out rows: bits per byte of text, and answers with their token F1."""

from __future__ import annotations

import math
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.adapters import load_for_inference
from training.encoding import IGNORED, Encoded, by_length, encode_question, encode_row, pad_left
from training.models import load_tokenizer
from training.prompt import split_citations
from training.records import BaseModel, Row, RowScore, Scores, TrainingSet

MOST_ANSWER_TOKENS = 24
_TEXT_TOKENS = 384  # as much of a chunk as training sees
_ROWS_A_BATCH = 8
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
        bits = self._bits(rows)
        self._advance(len(rows))
        return tuple(
            RowScore(row.uri, row.chunk, bits_) for row, bits_ in zip(rows, bits, strict=True)
        )

    def answers(self, rows: Sequence[Row]) -> tuple[RowScore, ...]:
        bits = self._bits(rows)
        said = self._said(rows)
        return tuple(
            RowScore(row.uri, row.chunk, bits_, token_f1(split_citations(text)[0], row.text), text)
            for row, bits_, text in zip(rows, bits, said, strict=True)
        )

    def _bits(self, rows: Sequence[Row]) -> list[float]:
        """Return the bits per byte of what each row has to tell."""
        encoded = [encode_row(self._tokenizer, row, most_tokens=_TEXT_TOKENS) for row in rows]
        bits = [0.0] * len(rows)
        for at in by_length(encoded, _ROWS_A_BATCH):
            batch = [encoded[i] for i in at]
            for i, total in zip(at, told_bits(self._model, self._pad, batch), strict=True):
                told = self._tokenizer.decode(encoded[i].ids[-encoded[i].told :])
                bits[i] = total / max(1, len(str(told).encode()))
        return bits

    def _said(self, rows: Sequence[Row]) -> list[str]:
        asked = [encode_question(self._tokenizer, row.question, row.passages) for row in rows]
        said = [""] * len(rows)
        encoded = [Encoded(ids, 0) for ids in asked]
        for at in by_length(encoded, _ROWS_A_BATCH):
            batch = [asked[i] for i in at]
            for i, text in zip(at, generate(self._model, self._tokenizer, batch), strict=True):
                said[i] = text
            self._advance(len(at))
        return said

    @property
    def _pad(self) -> int:
        return int(self._tokenizer.pad_token_id)

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._on_progress:
            self._on_progress(self._done, self._rows)


@torch.inference_mode()
def told_bits(model: PreTrainedModel, pad: int, rows: Sequence[Encoded]) -> list[float]:
    """Return the bits, in all, that each row's told tokens cost the model."""
    batch = pad_left(rows, pad)
    kept = min(batch.told + 1, batch.ids.shape[1])
    logits = model(
        input_ids=batch.ids, attention_mask=batch.mask, logits_to_keep=kept, use_cache=False
    ).logits
    labels = batch.labels[:, -kept + 1 :]
    losses = [
        cross_entropy(row[:-1].float(), told, ignore_index=IGNORED, reduction="sum")
        for row, told in zip(logits, labels, strict=True)
    ]
    return [float(loss) / math.log(2) for loss in losses]


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    asked: Sequence[Sequence[int]],
    *,
    most_tokens: int = MOST_ANSWER_TOKENS,
) -> list[str]:
    """Return the model's likeliest words after each prompt, up to its end mark."""
    batch = pad_left([Encoded(list(ids), 0) for ids in asked], int(tokenizer.pad_token_id))
    generative: Any = model
    told = generative.generate(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        max_new_tokens=most_tokens,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    fresh = told[:, batch.ids.shape[1] :]
    return [str(text).strip() for text in tokenizer.batch_decode(fresh, skip_special_tokens=True)]


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
