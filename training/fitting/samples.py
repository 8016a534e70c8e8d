"""What an adapter answers on the way: a few held-out questions, for people to read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import encode_question
from training.judging.inference import Asked
from training.models.adapters import Trainable
from training.records import Row, Sample

# Three rounds of two answers cost SmolLM2 3 % of a training of 44,000 tokens.
MOST_SAMPLE_TOKENS = 16


def sample_steps(steps: int) -> tuple[int, ...]:
    """Return the steps after which samples are taken: at a third, two thirds and the end.

    >>> sample_steps(90), sample_steps(10), sample_steps(1)
    ((30, 60, 90), (4, 7, 10), (1,))
    """
    return tuple(sorted({math.ceil(steps * part / 3) for part in (1, 2, 3)}))


def sampled_rows(rows: Sequence[Row], count: int) -> tuple[Row, ...]:
    """Return `count` answerable questions, spread evenly over the rows."""
    answerable = [row for row in rows if row.source]
    count = min(count, len(answerable))
    return tuple(answerable[len(answerable) * at // count] for at in range(count))


def take_samples(
    model: Trainable,
    tokenizer: Tokenizer,
    rows: Sequence[Row],
    step: int,
    autocast: AbstractContextManager[Any],
) -> Iterator[Sample]:
    """Yield the model's own answers, with no gradient, no dropout and no random number."""
    if not rows:
        return
    prompts = [encode_question(tokenizer, row.question, row.passages) for row in rows]
    model.eval()
    try:
        with autocast:
            said: list[str] = Asked(model, tokenizer, prompts).answers(  # type: ignore[arg-type]
                most_tokens=MOST_SAMPLE_TOKENS
            )
    finally:
        model.train()
    for row, answer in zip(rows, said, strict=True):
        yield Sample(step, row.question, row.text, answer)
