"""Rows to train on and rows to weigh on, drawn from two chunk tables. Knows Arrow, no model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice, zip_longest

import pyarrow as pa

from training.answer_rows import AnswerRows
from training.chunks import Chunk, approximate_tokens, read_chunks
from training.errors import NotEnoughTextError
from training.prompt import PROMPT_DIGEST
from training.records import FinetuneConfig, Row, RowKind, TrainingSet

# Intervals are drawn over held-out documents: in a small corpus up to a third of all are held
# out until there are these many.
ENOUGH_HOLDOUT_DOCUMENTS = 12
LEAST_DOCUMENTS = 9
LEAST_TRAIN_ROWS = 8
MOST_QUESTIONS = 40  # of one document
MOST_ASKED_CHUNKS = 5_000  # a second or two, however large the corpus
# What one document may take of each share: release notes are a third of some corpora.
MOST_OF_A_DOCUMENT = 0.2


def select_examples(
    reference: pa.Table | None,
    current: pa.Table,
    config: FinetuneConfig,
    *,
    reference_name: str,
    current_name: str,
) -> TrainingSet:
    """Return the rows of one retraining: the difference, replay of the rest, and answers.

    The difference is the text whose normal digest is not in the reference; without a reference,
    or where nothing differs, it is the whole corpus. Held-out documents are drawn by a hash of
    their uri, so the same ones are held out in every retraining, and a champion has not seen them
    either. Documents take turns, so that a long one does not crowd out the others. The same
    tables and config give the same rows in the same order. Raises NotEnoughTextError.
    """
    chunks = _fresh_marked(reference, current)
    split = _Split.of(chunks, config)
    train = [*_text_rows(split.train, config), *_train_answers(split.train, config)]
    new, old, answers = _holdout(split.holdout, config)
    _require(split, train, new, answers)
    return TrainingSet(
        reference=reference_name,
        current=current_name,
        train=tuple(train),
        holdout_new=tuple(new),
        holdout_old=tuple(old),
        holdout_answers=tuple(answers),
        digest=_digest((train, new, old, answers), config, reference_name, current_name),
    )


@dataclass(frozen=True, slots=True)
class _Split:
    train: list[Chunk]
    holdout: list[Chunk]

    @classmethod
    def of(cls, chunks: Sequence[Chunk], config: FinetuneConfig) -> _Split:
        """Hold out the documents whose hash is under the share, or the lowest of a small corpus."""
        ranks = {chunk.uri: _rank(config.holdout_salt, chunk.uri) for chunk in chunks}
        order = sorted(ranks, key=lambda uri: ranks[uri])
        under = sum(rank < config.holdout_share for rank in ranks.values())
        held = set(order[: max(under, min(ENOUGH_HOLDOUT_DOCUMENTS, len(order) // 3))])
        return cls(
            [chunk for chunk in chunks if chunk.uri not in held],
            [chunk for chunk in chunks if chunk.uri in held],
        )


def _fresh_marked(reference: pa.Table | None, current: pa.Table) -> list[Chunk]:
    known = set() if reference is None else set(reference.column("normal_digest").to_pylist())
    chunks = list(read_chunks(current, known))
    if any(chunk.fresh for chunk in chunks):
        return chunks
    return list(read_chunks(current, set()))


def _text_rows(chunks: Sequence[Chunk], config: FinetuneConfig) -> list[Row]:
    """Return text rows within their shares; replay's share is the difference's if there is none."""
    fresh = [chunk for chunk in chunks if chunk.fresh]
    stale = [chunk for chunk in chunks if not chunk.fresh]
    shares = (config.difference_share, config.replay_share)
    if not stale:
        shares = (sum(shares), 0.0)
    rows: list[Row] = []
    for part, kind, share in zip((fresh, stale), RowKind, shares, strict=False):
        turns = _in_turns(part, config.seed)
        texts = (chunk.as_row(kind) for chunk in turns if chunk.wordy)
        rows += _within(texts, share * config.budget_tokens, config.max_row_tokens)
    return rows


def _train_answers(chunks: Sequence[Chunk], config: FinetuneConfig) -> list[Row]:
    rows = AnswerRows(chunks, config, passage_characters=(120, 260), passages=(2, 3))
    turns = rows.in_turns(_asked(chunks, config.seed), most_a_document=MOST_QUESTIONS)
    return _within(turns, config.answer_share * config.budget_tokens, config.max_row_tokens)


def _holdout(
    chunks: Sequence[Chunk], config: FinetuneConfig
) -> tuple[list[Row], list[Row], list[Row]]:
    """Return new text, old text, and answers with those about new text first."""
    wordy = [chunk for chunk in _in_turns(chunks, 0) if chunk.wordy]
    new = [chunk.as_row(RowKind.DIFFERENCE) for chunk in wordy if chunk.fresh]
    old = [chunk.as_row(RowKind.REPLAY) for chunk in wordy if not chunk.fresh]
    # As long and as many as a search returns, so that the weighing is like the serving.
    rows = AnswerRows(chunks, config, passage_characters=(600, 900), passages=(3, 4))
    most = max(1, config.holdout_answer_rows // 5)
    answers = rows.in_turns(_asked(chunks, 0), most_a_document=most)
    count = config.holdout_text_rows
    return new[:count], old[:count], list(islice(answers, config.holdout_answer_rows))


def _within(rows: Iterable[Row], budget: float, most_a_row: int) -> list[Row]:
    """Return rows until their tokens fill the budget, no document more than its share of it."""
    kept: list[Row] = []
    of_document: Counter[str] = Counter()
    for row in rows:
        if of_document.total() >= budget:
            break
        if of_document[row.uri] < MOST_OF_A_DOCUMENT * budget:
            kept.append(row)
            of_document[row.uri] += min(approximate_tokens(row), most_a_row)
    return kept


def _in_turns(chunks: Iterable[Chunk], seed: int) -> list[Chunk]:
    """Return chunks so that each document gives one in every round, both in a seeded order."""
    of_document: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in sorted(chunks, key=lambda chunk: _rank(str(seed), chunk.digest, chunk.uri)):
        of_document[chunk.uri].append(chunk)
    order = sorted(of_document, key=lambda uri: _rank(str(seed), uri))
    rounds = zip_longest(*(of_document[uri] for uri in order))
    return [chunk for chunks_ in rounds for chunk in chunks_ if chunk is not None]


def _asked(chunks: Sequence[Chunk], seed: int) -> list[Chunk]:
    """Return the chunks to make questions of: documents in turns, those with new text first."""
    turns = _in_turns(chunks, seed)
    return sorted(turns, key=lambda chunk: not chunk.fresh)[:MOST_ASKED_CHUNKS]


def _rank(*parts: str) -> float:
    """Return a number in [0, 1) that belongs to these strings for good.

    >>> 0 <= _rank("holdout", "a.md") < 1 and _rank("a", "b") != _rank("b", "a")
    True
    """
    digest = sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _require(split: _Split, train: list[Row], new: list[Row], answers: list[Row]) -> None:
    documents = len({chunk.uri for chunk in (*split.train, *split.holdout)})
    asked = sum(row.kind is RowKind.ANSWER for row in train)
    needs = {
        "documents with trusted text": (documents, LEAST_DOCUMENTS),
        "rows to train on": (len(train), LEAST_TRAIN_ROWS),
        "questions to train on": (asked, 1),
        "rows of held-out text": (len(new), 1),
        "held-out questions": (len(answers), 1),
    }
    short = [
        f"{what}: {there} of {least}" for what, (there, least) in needs.items() if there < least
    ]
    if short:
        msg = (
            f"Too little text to train and to weigh on: {'; '.join(short)}. "
            "Add documents; the index keeps answering without an adapter."
        )
        raise NotEnoughTextError(msg)


def _digest(parts: Sequence[Sequence[Row]], config: FinetuneConfig, *names: str) -> str:
    """Return the sha256 over the prompt, every row, the config and both snapshots' names."""
    digest = sha256()
    for line in _lines(parts, config, names):
        digest.update(json.dumps(line, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _lines(
    parts: Sequence[Sequence[Row]], config: FinetuneConfig, names: tuple[str, ...]
) -> Iterator[object]:
    yield [PROMPT_DIGEST, *names]
    yield asdict(config)
    for number, rows in enumerate(parts):
        yield from ([number, asdict(row)] for row in rows)
