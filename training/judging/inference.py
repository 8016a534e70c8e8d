"""A model at work without gradients: bits of given words, and its likeliest own ones."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import IGNORED, Encoded, by_length, encode_row, pad_left
from training.judging.passages import MOST_TOKENS
from training.records import Row

ROWS_A_BATCH = 8
# Tokens of one forward pass, padding included. 16 prompts of 450 tokens at once take 0.47 s each
# on one core, four at a time 0.25 s: activations leave the cache of the processor.
MOST_BATCH_TOKENS = 2_048
# Rows that have ended are taken out of the batch once they are this share of it: taking them out
# copies the cache of the others, which costs about as much as one step.
_ENDED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """What given words cost the model in all, and whether each token was its likeliest."""

    bits: float
    likeliest: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said of itself, and in how many tokens, its end mark included."""

    text: str
    tokens: int


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
    return _bits(*_read(model, pad, rows))


@torch.inference_mode()
def told_words(model: PreTrainedModel, pad: int, rows: Sequence[Encoded]) -> list[Told]:
    """Return what each row's told tokens cost, all of them given: nothing is generated."""
    logits, labels = _read(model, pad, rows)
    right = (logits.argmax(-1) == labels) | (labels == IGNORED)
    bits = _bits(logits, labels)
    return [Told(*each) for each in zip(bits, map(bool, right.all(-1)), strict=True)]


def _read(model: PreTrainedModel, pad: int, rows: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
    """Return the logits before each told token, and those tokens, padded with IGNORED."""
    batch = pad_left(rows, pad)
    kept = min(batch.told + 1, batch.ids.shape[1])
    logits = model(
        input_ids=batch.ids.to(model.device),
        attention_mask=batch.mask.to(model.device),
        logits_to_keep=kept,
        use_cache=False,
    ).logits
    return logits[:, :-1], batch.labels[:, -kept + 1 :].to(model.device)


def _bits(logits: Tensor, labels: Tensor) -> list[float]:
    """Return each row's negative log-likelihood in bits; row by row, since float32 is wide."""
    return [_row_bits(row, told) for row, told in zip(logits, labels, strict=True)]


def _row_bits(logits: Tensor, labels: Tensor) -> float:
    """Return what the told tokens of one row cost, in bits.

    Cross-entropy, with the padding left out and the exponents taken in place: 10 ms for 150 tokens
    of 49,152 words, where the function of that name writes all log-probabilities and takes 24.
    """
    told = labels != IGNORED
    wide = logits[told].float()
    chosen = wide.gather(-1, labels[told].unsqueeze(-1)).squeeze(-1)
    highest = wide.amax(-1, keepdim=True)
    totals = wide.sub_(highest).exp_().sum(-1).log() + highest.squeeze(-1)
    return float((totals - chosen).sum()) / math.log(2)


class Asked:
    """Prompts that the model has read once: to weigh given answers on, and to answer itself.

    They are read a few at a time and answered all together: a step of 16 rows takes 1.3 times as
    long as one of 8.
    """

    @torch.inference_mode()
    def __init__(
        self, model: PreTrainedModel, tokenizer: Tokenizer, prompts: Sequence[Sequence[int]]
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._pad = int(tokenizer.pad_token_id)
        batch = pad_left([Encoded(list(ids), 0) for ids in prompts], self._pad)
        ids, self._mask = batch.ids.to(model.device), batch.mask.to(model.device)
        rows = max(1, MOST_BATCH_TOKENS // ids.shape[1])
        read = [
            self._prompts(ids[at : at + rows], self._mask[at : at + rows])
            for at in range(0, len(ids), rows)
        ]
        self._cache = _stacked([cache for cache, _ in read])
        self._next = torch.cat([logits for _, logits in read])

    def _prompts(self, ids: Tensor, mask: Tensor) -> tuple[DynamicCache, Tensor]:
        read = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            logits_to_keep=1,
            use_cache=True,
        )
        return read.past_key_values, read.logits[:, -1:]

    @torch.inference_mode()
    def bits(self, answers: Sequence[Sequence[int]]) -> list[float]:
        """Return the bits, in all, of each prompt's given answer."""
        width = max(1, *(len(ids) for ids in answers))
        ids = torch.full((len(answers), width), self._pad)
        labels = torch.full_like(ids, IGNORED)
        for row, told in enumerate(answers):
            ids[row, : len(told)] = labels[row, : len(told)] = torch.tensor(told)
        device = self._model.device
        logits = self._continue(ids.to(device), self._mask, self._cache)
        self._cache.crop(-width)
        return _bits(torch.cat((self._next, logits[:, :-1]), dim=1), labels.to(device))

    def answers(self, *, most_tokens: int) -> list[str]:
        """Return the likeliest words after each prompt, up to the model's end mark."""
        return [said.text for said in self.said(most_tokens=most_tokens)]

    @torch.inference_mode()
    def said(self, *, most_tokens: int) -> list[Said]:
        """Return the likeliest words after each prompt, with how many tokens they took."""
        end = int(self._tokenizer.eos_token_id)
        told: list[list[int]] = [[] for _ in range(len(self._mask))]
        token = self._next[:, -1].argmax(-1, keepdim=True)
        # A copy: rows are taken out of it, and the prompts stay read.
        cache, mask, live = copy.deepcopy(self._cache), self._mask, list(range(len(told)))
        for step in range(most_tokens):
            for at, row in enumerate(live):
                if not told[row] or told[row][-1] != end:
                    told[row].append(int(token[at]))
            going = [at for at, row in enumerate(live) if told[row][-1] != end]
            if not going or step == most_tokens - 1:
                break
            if len(going) <= (1 - _ENDED_SHARE) * len(live):
                cache.batch_select_indices(torch.tensor(going, device=mask.device))
                mask, token = mask[going], token[going]
                live = [live[at] for at in going]
            logits = self._continue(token, mask, cache)
            mask = torch.cat((mask, torch.ones_like(token)), dim=1)
            token = logits[:, -1].argmax(-1, keepdim=True)
        texts = self._tokenizer.batch_decode(told, skip_special_tokens=True)
        return [Said(str(text).strip(), len(ids)) for text, ids in zip(texts, told, strict=True)]

    def _continue(self, ids: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
        """Return the logits of further tokens; `mask` is that of all tokens before them."""
        start = mask.sum(-1, keepdim=True)
        logits: Tensor = self._model(
            input_ids=ids,
            attention_mask=torch.cat((mask, torch.ones_like(ids)), dim=1),
            position_ids=start + torch.arange(ids.shape[1], device=ids.device),
            past_key_values=cache,
            use_cache=True,
        ).logits
        return logits


def _stacked(caches: Sequence[DynamicCache]) -> DynamicCache:
    """Return the caches of prompts of one width as the cache of all of them."""
    if len(caches) == 1:
        return caches[0]
    stacked = DynamicCache()
    for number in range(len(caches[0].layers)):
        layers: list[Any] = [cache.layers[number] for cache in caches]
        keys = torch.cat([layer.keys for layer in layers])
        stacked.update(keys, torch.cat([layer.values for layer in layers]), number)
    return stacked
