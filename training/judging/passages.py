"""Passages to weigh a champion on: what it could not know beside what it could. No model here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from training.examples.chunks import Chunk, approximate_tokens, read_chunks
from training.records import Row, RowKind

MOST_TOKENS = 384  # of a passage: as much of a chunk as training sees
# Intervals are drawn over documents: many of them with few passages each tell the most.
MOST_OF_A_DOCUMENT = 3
# From half of the words in common on, a chunk of the same document is an earlier version.
SAME_PLACE = 0.5


@dataclass(frozen=True, slots=True)
class Passages:
    """Text rows by what they are to the snapshot that the champion was trained on.

    `new` it lacks, `old` it holds unchanged, no more of them than of the new. `edited` are those
    of the new that have an earlier version, which stands at the same position in `was`.
    """

    new: tuple[Row, ...]
    old: tuple[Row, ...]
    edited: tuple[Row, ...] = ()
    was: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row that has to be weighed, each once."""
        return tuple(dict.fromkeys((*self.new, *self.old, *self.was)))


@dataclass(frozen=True, slots=True)
class PassageBits:
    """Bits per byte of one passage; `base` is the bare base's, None if that is the champion."""

    uri: str
    champion: float
    base: float | None


@dataclass(frozen=True, slots=True)
class Surprise:
    """The bits of every passage, in the order of `Passages`."""

    new: tuple[PassageBits, ...]
    old: tuple[PassageBits, ...]
    edited: tuple[PassageBits, ...]
    was: tuple[PassageBits, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its digests; the adapter's is "" for the bare base model."""

    base_digest: str
    adapter_digest: str = ""

    def key(self, row: Row) -> str:
        """Return what the bits of a row under this model are kept by."""
        parts = (self.base_digest, self.adapter_digest, str(MOST_TOKENS), row.text)
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def control(self) -> Model | None:
        """The model that says how hard a text is in itself: the bare base, unless this is it."""
        return Model(self.base_digest) if self.adapter_digest else None


def draw_passages(
    before: pa.Table,
    now: pa.Table,
    steady: pa.Table,
    *,
    known: AbstractSet[str],
    most: int,
    seed: int = 0,
) -> Passages:
    """Draw at most `most` passages a side from three chunk tables of whole documents.

    `before` holds documents that were edited or are gone as they were, `now` those that are new or
    edited as they are, `steady` some that are the same; `known` are the normal digests of all of
    the champion's snapshot. Documents take turns, and in each the lowest hash is drawn, so that a
    corpus that moves on changes few passages of the sample, and what was weighed before need not
    be weighed again. Old text of the documents that have new text comes first: it is the most
    like it.
    """
    chunks = [c for c in read_chunks(pa.concat_tables([now, steady]), known) if c.wordy]
    new = _in_turns((c for c in chunks if c.fresh), seed)[:most]
    homes = {chunk.uri for chunk in new}
    old = _in_turns((c for c in chunks if not c.fresh), seed, first=homes)[: len(new)]
    current = set(now.column("normal_digest").to_pylist())
    gone = [chunk for chunk in read_chunks(before, current) if chunk.fresh and chunk.wordy]
    versions = _earlier(new, gone)
    return Passages(
        new=tuple(chunk.as_row(RowKind.DIFFERENCE) for chunk in new),
        old=tuple(chunk.as_row(RowKind.REPLAY) for chunk in old),
        edited=tuple(new[at].as_row(RowKind.DIFFERENCE) for at in versions),
        was=tuple(chunk.as_row(RowKind.REPLAY) for chunk in versions.values()),
    )


def tokens_of(rows: Iterable[Row]) -> int:
    """Return about how many tokens these rows make a model read.

    >>> tokens_of([Row(RowKind.REPLAY, "a", "b", "c", "Wait 30 seconds.")])
    6
    """
    return sum(min(approximate_tokens(row), MOST_TOKENS) for row in rows)


def missing(model: Model, rows: Sequence[Row], known: Mapping[str, float]) -> list[Row]:
    """Return the rows whose bits under this model are not known yet."""
    return [row for row in rows if model.key(row) not in known]


def assemble(model: Model, passages: Passages, known: Mapping[str, float]) -> Surprise:
    """Return the bits of all passages from what is known; raises KeyError if one is missing."""
    control = model.control

    def bits(rows: Sequence[Row]) -> tuple[PassageBits, ...]:
        return tuple(
            PassageBits(
                row.uri, known[model.key(row)], None if control is None else known[control.key(row)]
            )
            for row in rows
        )

    parts = (passages.new, passages.old, passages.edited, passages.was)
    return Surprise(*map(bits, parts))


def _in_turns(
    chunks: Iterable[Chunk], seed: int, *, first: AbstractSet[str] = frozenset()
) -> list[Chunk]:
    """Return each document's first chunk by hash, then the second ones, and so on to its part.

    In every turn the documents in `first` come first.
    """

    def rank(chunk: Chunk) -> bytes:
        return sha256(f"{seed}\0{chunk.digest}".encode()).digest()

    turn: Counter[str] = Counter()
    placed: list[tuple[int, bool, Chunk]] = []
    for chunk in sorted(chunks, key=rank):
        if turn[chunk.uri] < MOST_OF_A_DOCUMENT:
            placed.append((turn[chunk.uri], chunk.uri not in first, chunk))
            turn[chunk.uri] += 1
    # A stable sort: within a turn the order by hash stays.
    return [chunk for *_, chunk in sorted(placed, key=lambda place: place[:2])]


def _earlier(new: Sequence[Chunk], gone: Sequence[Chunk]) -> dict[int, Chunk]:
    """Return the earlier version of chunks by their position; each is the version of one only."""
    found: dict[int, Chunk] = {}
    left = list(gone)
    for at, chunk in enumerate(new):
        likeness = {
            i: shared_words(chunk.text, other.text)
            for i, other in enumerate(left)
            if other.uri == chunk.uri
        }
        best = max(likeness, key=lambda i: likeness[i], default=None)
        if best is not None and likeness[best] >= SAME_PLACE:
            found[at] = left.pop(best)
    return found


def shared_words(one: str, other: str) -> float:
    """Return the share of words that two texts have in common (Dice 1945), 0..1.

    >>> shared_words("wait ten seconds", "wait five seconds")
    0.6666666666666666
    """
    words, others = Counter(one.casefold().split()), Counter(other.casefold().split())
    return 2 * (words & others).total() / max(1, words.total() + others.total())
