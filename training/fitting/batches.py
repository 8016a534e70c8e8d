"""Which rows each optimiser step takes, and how a step is cut to fit the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import Batch, Encoded, by_length, encode_row, is_asked, pack, pad_left
from training.errors import NotEnoughTextError
from training.records import FinetuneConfig, Row


@dataclass(frozen=True, slots=True)
class StepRows:
    """The rows of one optimiser step: all text, or all answers, since their costs differ."""

    rows: tuple[Encoded, ...]
    is_text: bool

    @property
    def told(self) -> int:
        """Count of tokens that the loss is on."""
        return sum(row.told for row in self.rows)

    @property
    def tokens(self) -> int:
        """Count of all tokens."""
        return sum(len(row.ids) for row in self.rows)


def plan_steps(tokenizer: Tokenizer, rows: Sequence[Row], config: FinetuneConfig) -> list[StepRows]:
    """Return the steps of all epochs; the same rows and config give the same steps.

    Raises NotEnoughTextError if no row has a token to learn.
    """
    encoded = [encode_row(tokenizer, row, most_tokens=config.max_row_tokens) for row in rows]
    pairs = list(zip(encoded, rows, strict=True))
    texts = [ids for ids, row in pairs if not is_asked(row) and ids.told]
    answers = [ids for ids, row in pairs if is_asked(row)]
    if not texts and not answers:
        msg = "There is no row to train on: every one is empty. Add documents."
        raise NotEnoughTextError(msg)
    random = Random(config.seed)  # noqa: S311 - not for secrets: the same order in every run
    epochs = count_epochs(sum(len(e.ids) for e in encoded), config)
    return [step for _ in range(epochs) for step in _epoch(texts, answers, config, random)]


def count_epochs(tokens: int, config: FinetuneConfig) -> int:
    """Return how often the rows are passed over: until the budget is spent, within the limit.

    >>> config = FinetuneConfig(budget_tokens=250, epochs=3)
    >>> [count_epochs(tokens, config) for tokens in (10, 100, 120, 1_000)]
    [3, 2, 2, 1]
    """
    return max(1, min(config.epochs, round(config.budget_tokens / max(1, tokens))))


def _epoch(
    texts: list[Encoded], answers: list[Encoded], config: FinetuneConfig, random: Random
) -> list[StepRows]:
    steps: list[StepRows] = []
    for rows, is_text in ((texts, True), (answers, False)):
        # Shuffled before the stable sort by length: rows of like length meet others each epoch.
        shuffled = random.sample(rows, len(rows))
        steps += [
            StepRows(tuple(shuffled[i] for i in at), is_text)
            for at in by_length(shuffled, config.batch_rows)
        ]
    random.shuffle(steps)
    return steps


def cut(step: StepRows, *, most_rows: int, pad: int, packing: bool) -> Iterator[Batch]:
    """Yield a step's rows, `most_rows` at a time; text is packed if `packing`, answers never.

    An answer tells a few tokens at its end, so padding on the left needs logits for these alone.
    """
    for start in range(0, len(step.rows), most_rows):
        rows = step.rows[start : start + most_rows]
        yield pack(rows) if packing and step.is_text else pad_left(rows, pad)


def share_of(step: StepRows, process: int, processes: int) -> StepRows:
    """Return the rows of a step that one process takes; none is left over, some may get none.

    >>> rows = StepRows(tuple(Encoded([n], 1) for n in range(3)), is_text=True)
    >>> [[row.ids[0] for row in share_of(rows, n, 2).rows] for n in (0, 1)]
    [[0, 2], [1]]
    """
    return StepRows(step.rows[process::processes], step.is_text)
