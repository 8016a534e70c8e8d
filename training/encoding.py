"""Rows as token ids, padded or packed. The only place where text meets the chat template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.prompt import answer_turn, chat_messages, neutralise
from training.records import ASKED, Passage, Row, RowKind, Turn

IGNORED = -100  # cross-entropy's own mark for "no loss here"


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, of which the last `told` are what the model has to say."""

    ids: list[int]
    told: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded on the left: (rows, tokens) each. `told` is the longest count of told tokens.

    Packed rows lie one behind the other in a single line; then `positions`, of the same shape,
    count from 0 in each of them, and no row sees another.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    told: int
    positions: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Count of tokens without the padding."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        positions = None if self.positions is None else self.positions.to(device)
        return Batch(
            self.ids.to(device),
            self.mask.to(device),
            self.labels.to(device),
            self.told,
            positions,
        )


def is_asked(row: Row) -> bool:
    """Return True for a row that answers something; of all others the text itself is learnt."""
    return row.kind in ASKED or row.kind is RowKind.CHAT


def encode_row(tokenizer: Tokenizer, row: Row, *, most_tokens: int) -> Encoded:
    """Return a text row, cut at `most_tokens`, or an answer or a conversation, never cut.

    A text row tells all of its tokens but the first, or all after the line that stands before it,
    an answer row only the answer and its end, a conversation only its last reply and its end.
    """
    if not is_asked(row):
        lead = encode_text(tokenizer, f"{row.question}\n\n") if row.question else []
        ids = [*lead, *encode_text(tokenizer, row.text)][:most_tokens]
        return Encoded(ids, max(0, len(ids) - (len(lead) or 1)))
    if row.kind is RowKind.CHAT:
        asked, said = encode_turns(tokenizer, row.turns), row.text
    else:
        asked = encode_question(tokenizer, row.question, row.passages)
        said = answer_turn(row.text, row.source)
    told = [*encode_text(tokenizer, said), int(tokenizer.eos_token_id)]
    return Encoded([*asked, *told], len(told))


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text in which no marker of the tokenizer's own counts as one."""
    plain = neutralise(text, _markers(tokenizer))
    return list(tokenizer(plain, add_special_tokens=False)["input_ids"])


def encode_question(tokenizer: Tokenizer, question: str, passages: Sequence[Passage]) -> list[int]:
    """Return the ids of the one prompt, up to where the answer begins."""
    turns = [Turn(turn["role"], turn["content"]) for turn in chat_messages(question, passages)]
    return encode_turns(tokenizer, turns)


def encode_turns(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int]:
    """Return the ids of a conversation, up to where the next reply begins.

    Only the markers that the model's own chat template writes count as markers.
    """
    markers = _markers(tokenizer)
    messages = [{"role": turn.role, "content": neutralise(turn.content, markers)} for turn in turns]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(str(text), add_special_tokens=False)["input_ids"])


def _markers(tokenizer: Tokenizer) -> list[str]:
    """Return every string that the tokenizer takes for one token of its own."""
    return [str(token) for token in tokenizer.added_tokens_decoder.values()]


def pad_left(rows: Sequence[Encoded], pad: int) -> Batch:
    """Return the rows as one batch; the told tokens end where the batch ends."""
    width = max(len(row.ids) for row in rows)
    ids, mask, labels = (torch.full((len(rows), width), fill) for fill in (pad, 0, IGNORED))
    for at, row in enumerate(rows):
        start = width - len(row.ids)
        ids[at, start:] = torch.tensor(row.ids)
        mask[at, start:] = 1
        if row.told:
            labels[at, -row.told :] = ids[at, -row.told :]
    return Batch(ids, mask, labels, max(row.told for row in rows))


def pack(rows: Sequence[Encoded]) -> Batch:
    """Return the rows in one line: no padding, and positions that begin again with each row.

    transformers keeps the rows apart where positions begin again and there is no mask.
    """
    width = sum(len(row.ids) for row in rows)
    ids = torch.tensor([[token for row in rows for token in row.ids]])
    positions = torch.cat([torch.arange(len(row.ids)) for row in rows])[None]
    labels, end = torch.full_like(ids, IGNORED), 0
    for row in rows:
        end += len(row.ids)
        labels[0, end - row.told : end] = ids[0, end - row.told : end]
    return Batch(ids, torch.ones_like(ids), labels, width, positions)


def by_length(rows: Sequence[Encoded], rows_a_batch: int) -> Iterator[list[int]]:
    """Yield positions of rows in batches of like length, longest first.

    >>> list(by_length([Encoded([1], 0), Encoded([1, 2, 3], 0), Encoded([1, 2], 0)], 2))
    [[1, 2], [0]]
    """
    order = sorted(range(len(rows)), key=lambda at: (-len(rows[at].ids), at))
    for start in range(0, len(order), rows_a_batch):
        yield order[start : start + rows_a_batch]
