"""Are the rows of one version what they were written as? Counts, digests, order; writes nothing.

Every row carries a sha256 over all that it says, so a wrong bit that still reads as a value is
found; what is not about one row (a row too many, a document without its chunk) is found by what
documents say of their chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa

from retrieval import table_rows as rows
from retrieval.embedders import Vector
from retrieval.records import Chunk, DocumentState, Flag
from retrieval.spool import Row

_VALUES = ("id", "uri", "title", "text", "digest", "media_type", "modified_at", "trust")
_MOST_NAMED = 1_000  # of damaged rows: who reads on knows enough
_MARKS = 16  # bytes of an id that tell it from others


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """One row that is not what it was written as, and what shows it."""

    uri: str
    chunk: str
    what: str


@dataclass(frozen=True, slots=True)
class VerifiedRows:
    """What was looked at in one version, and what is wrong with it.

    `documents` are what the rows say of them; `wrong` says what is not about one row. Of damaged
    rows a thousand are named, `damaged_rows` counts them all.
    """

    rows: int
    documents: dict[str, DocumentState] = field(hash=False)
    damaged: tuple[DamagedRow, ...]
    damaged_rows: int
    wrong: tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    """What a pass over the rows has seen so far."""

    rows: int = 0
    damaged_rows: int = 0
    damaged: list[DamagedRow] = field(default_factory=list)
    documents: dict[str, DocumentState] = field(default_factory=dict)
    held: set[bytes] = field(default_factory=set)
    named: set[bytes] = field(default_factory=set)
    repeated: int = 0


def verify_rows(
    batches: Iterable[pa.RecordBatch], *, on_rows: Callable[[int], None] = lambda _: None
) -> VerifiedRows:
    """Return what is wrong with all rows of a version, batch by batch; every column is needed."""
    seen = _Seen()
    for batch in batches:
        for values, whole in _judged(batch):
            _take(seen, values, whole=whole)
        seen.rows += len(batch)
        on_rows(seen.rows)
    return VerifiedRows(
        rows=seen.rows,
        documents=seen.documents,
        damaged=tuple(seen.damaged),
        damaged_rows=seen.damaged_rows,
        wrong=tuple(_disorder(seen)),
    )


def intact(batch: pa.RecordBatch) -> list[bool]:
    """Return of each row of a batch with every column whether it is what it was written as."""
    return [whole for _, whole in _judged(batch)]


def sample_offsets(rows_there: int, count: int, *, seed: int) -> list[int]:
    """Return the places of a sample of rows, sorted; the same for the same seed.

    >>> sample_offsets(10, 3, seed=1) == sample_offsets(10, 3, seed=1)
    True
    >>> sample_offsets(3, 10, seed=1)
    [0, 1, 2]
    """
    drawn = np.random.default_rng(seed).choice(rows_there, min(count, rows_there), replace=False)
    return sorted(map(int, drawn))


def _judged(batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any] | None, bool]]:
    """Yield the values of each row, and whether they are what they were written as."""
    vectors = rows.matrix(batch.column("vector"))
    for values, vector in zip(_rows_of(batch), vectors, strict=True):
        yield values, _is_intact(values, vector)


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """Yield the values of each row but its vector; None for one that cannot be decoded."""
    columns = [name for name in batch.schema.names if name != "vector"]
    try:
        yield from batch.select(columns).to_pylist()
    except (ValueError, OverflowError):
        for at in range(len(batch)):
            try:
                yield {name: batch.column(name)[at].as_py() for name in columns}
            except (ValueError, OverflowError):
                yield None


def _is_intact(values: dict[str, Any] | None, vector: Vector) -> bool:
    if values is None:
        return False
    try:
        row = _row(values, vector)
        return bool(
            values["row_digest"] == rows.row_digest(row)
            and values["document"] == rows.document_key(values["uri"])
            and values["normal_digest"] == row.chunk.normal_digest
        )
    except (TypeError, ValueError, AttributeError):
        return False  # a null, or half a character, where there was a value


def _row(values: dict[str, Any], vector: Vector) -> Row:
    order = values["reading_order"]
    chunk = Chunk(
        **{name: values[name] for name in _VALUES},
        ordinal=0,  # worked out on reading; no row says it
        headings=tuple(values["headings"]),
        document_digest=values["document_digest"] or "",
        # As they stand: one that no Flag has is damage, and not an error.
        flags=cast("tuple[Flag, ...]", tuple(values["flags"])),
    )
    return Row(chunk, vector, tuple(order) if order else None)


def _take(seen: _Seen, values: dict[str, Any] | None, *, whole: bool) -> None:
    if not whole:
        seen.damaged_rows += 1
        if len(seen.damaged) < _MOST_NAMED:
            seen.damaged.append(_named(values))
    if values is None:
        return
    mark = _mark(values["id"])
    seen.repeated += mark in seen.held
    seen.held.add(mark)
    if values["document_digest"] is not None:
        seen.documents[values["uri"]] = DocumentState(values["document_digest"], values["trust"])
        seen.named.update(map(_mark, values["reading_order"] or ()))


def _named(values: dict[str, Any] | None) -> DamagedRow:
    if values is None:
        return DamagedRow("", "", "its text cannot be decoded")
    what = "it does not hash to the digest that it was written with"
    return DamagedRow(str(values["uri"]), str(values["id"]), what)


def _mark(identifier: str | None) -> bytes:
    return (identifier or "").encode()[:_MARKS]


def _disorder(seen: _Seen) -> Iterator[str]:
    if seen.repeated:
        yield f"{seen.repeated:,} rows have an id that another row has"
    if lacking := len(seen.named - seen.held):
        yield f"{lacking:,} chunks that documents name are not there"
    if stray := len(seen.held - seen.named):
        yield f"{stray:,} rows belong to no document: they were deleted, and came back"
