"""A model at work without gradients: bits of given words, and its likeliest own ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import IGNORED, Encoded, by_length, encode_row, pad_left
from training.passages import MOST_TOKENS
from training.records import Row

ROWS_A_BATCH = 8


def text_bits(
    model: PreTrainedModel, tokenizer: Tokenizer, rows: Sequence[Row]
) -> Iterator[tuple[list[int], list[float]]]:
    """Yield positions of text rows and their bits per byte, a batch of like length at a time."""
    encoded = [encode_row(tokenizer, row, most_tokens=MOST_TOKENS) for row in rows]
    for at in by_length(encoded, ROWS_A_BATCH):
        batch = [encoded[i] for i in at]
        totals = told_bits(model, int(tokenizer.pad_token_id), batch)
        told = [row.ids[-row.told :] for row in batch]
        yield at, [bits / bytes_of(tokenizer, ids) for bits, ids in zip(totals, told, strict=True)]


def bytes_of(tokenizer: Tokenizer, ids: list[int]) -> int:
    """Return how many bytes of UTF-8 the tokens stand for, at least 1."""
    return max(1, len(str(tokenizer.decode(ids)).encode()))


@torch.inference_mode()
def told_bits(model: PreTrainedModel, pad: int, rows: Sequence[Encoded]) -> list[float]:
    """Return the bits, in all, that each row's told tokens cost the model."""
    batch = pad_left(rows, pad)
    kept = min(batch.told + 1, batch.ids.shape[1])
    logits = model(
        input_ids=batch.ids, attention_mask=batch.mask, logits_to_keep=kept, use_cache=False
    ).logits
    return _bits(logits[:, :-1], batch.labels[:, -kept + 1 :])


def _bits(logits: Tensor, labels: Tensor) -> list[float]:
    """Return each row's negative log-likelihood in bits; row by row, since float32 is wide."""
    losses = [
        cross_entropy(row.float(), told, ignore_index=IGNORED, reduction="sum")
        for row, told in zip(logits, labels, strict=True)
    ]
    return [float(loss) / math.log(2) for loss in losses]


class Asked:
    """Prompts that the model has read once: to weigh given answers on, and to answer itself."""

    @torch.inference_mode()
    def __init__(
        self, model: PreTrainedModel, tokenizer: Tokenizer, prompts: Sequence[Sequence[int]]
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._pad = int(tokenizer.pad_token_id)
        batch = pad_left([Encoded(list(ids), 0) for ids in prompts], self._pad)
        self._mask = batch.mask
        read = model(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            position_ids=(batch.mask.cumsum(-1) - 1).clamp(min=0),
            logits_to_keep=1,
            use_cache=True,
        )
        self._cache: Any = read.past_key_values
        self._next = read.logits[:, -1:]

    @torch.inference_mode()
    def bits(self, answers: Sequence[Sequence[int]]) -> list[float]:
        """Return the bits, in all, of each prompt's given answer."""
        width = max(1, *(len(ids) for ids in answers))
        ids = torch.full((len(answers), width), self._pad)
        labels = torch.full_like(ids, IGNORED)
        for row, told in enumerate(answers):
            ids[row, : len(told)] = labels[row, : len(told)] = torch.tensor(told)
        logits = self._continue(ids, self._mask)
        self._forget(width)
        return _bits(torch.cat((self._next, logits[:, :-1]), dim=1), labels)

    @torch.inference_mode()
    def answers(self, *, most_tokens: int) -> list[str]:
        """Return the likeliest words after each prompt, up to the model's end mark."""
        end = int(self._tokenizer.eos_token_id)
        token = self._next[:, -1].argmax(-1, keepdim=True)
        told, mask = [token], self._mask
        ended = token == end
        while len(told) < most_tokens and not bool(ended.all()):
            logits = self._continue(token, mask)
            mask = torch.cat((mask, torch.ones_like(token)), dim=1)
            token = logits[:, -1].argmax(-1, keepdim=True).masked_fill(ended, end)
            ended |= token == end
            told.append(token)
        self._forget(len(told) - 1)
        texts = self._tokenizer.batch_decode(torch.cat(told, dim=1), skip_special_tokens=True)
        return [str(text).strip() for text in texts]

    def _forget(self, tokens: int) -> None:
        """Take what was added to the prompts out of the cache again."""
        if tokens:
            self._cache.crop(-tokens)

    def _continue(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of further tokens; `mask` is that of all tokens before them."""
        start = mask.sum(-1, keepdim=True)
        logits: Tensor = self._model(
            input_ids=ids,
            attention_mask=torch.cat((mask, torch.ones_like(ids)), dim=1),
            position_ids=start + torch.arange(ids.shape[1]),
            past_key_values=self._cache,
            use_cache=True,
        ).logits
        return logits
