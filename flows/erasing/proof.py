"""What is left of an erased text: every file decoded and searched. Reads; changes nothing.

Lance and Parquet are read column by column, SQLite row by row, archives unpacked, anything else
byte by byte: text in a column file is compressed, and a plain search would not see it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flows.erasing.scrubbing import Mine, is_parquet, is_sqlite, rows_of, tables_of
from flows.erasing.unpacking import unpacked
from retrieval.table_erasure import decoded
from retrieval.traces import Traces

_LANCE = frozenset({".lance", ".idx"})
_CHUNK = 1 << 22  # bytes read at once
_OVERLAP = 1 << 12  # as long as a run of five words or a uri can be


@dataclass(frozen=True, slots=True)
class Place:
    """Something to search: a file, under the name it is told by.

    `mine` says which rows of a database count, where others keep theirs in it; None for all.
    """

    file: Path
    name: str
    mine: Mine | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What was searched and found. `kinds` counts files by how they were decoded.

    `found` are places with the traces in each; `unread` places that could not be decoded, which
    were searched byte by byte. Places are paths below the home folder.
    """

    files: int
    bytes: int
    kinds: tuple[tuple[str, int], ...]
    found: tuple[tuple[str, int], ...]
    unread: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True if no trace was found."""
        return not self.found


def prove(places: Iterable[Place], traces: Traces, tell: Callable[[int], None]) -> Proof:
    """Search every place; `tell` is called with the count of files done."""
    kinds: Counter[str] = Counter()
    found: Counter[str] = Counter()
    unread, size = [], 0
    for number, place in enumerate(places, start=1):
        kind, traced = _search(place, traces)
        kinds[kind] += 1
        size += place.file.stat().st_size
        if traced:
            found[place.name] += traced
        if kind == "undecoded":
            unread.append(place.name)
        tell(number)
    return Proof(
        files=kinds.total(),
        bytes=size,
        kinds=tuple(sorted(kinds.items())),
        found=tuple(sorted(found.items())),
        unread=tuple(unread),
    )


def _search(place: Place, traces: Traces) -> tuple[str, int]:
    """Return how a file was decoded, and how many traces are in it."""
    try:
        found = _decoded(place, traces)
    except (ValueError, OSError, sqlite3.DatabaseError, pa.ArrowException):
        return "undecoded", _in_bytes(place.file, traces)
    return found or ("bytes", _in_bytes(place.file, traces))


def _decoded(place: Place, traces: Traces) -> tuple[str, int] | None:
    """Search a file by what it says it is; None for one that says nothing."""
    file = place.file
    if is_sqlite(file):
        return "sqlite", _in_database(place, traces)
    if is_parquet(file):
        return "parquet", sum(_in_batch(b, traces) for b in pq.ParquetFile(file).iter_batches())
    if file.suffix in _LANCE:
        words = "_indices" in file.parts
        return "lance", sum(_in_batch(batch, traces, words=words) for batch in decoded(file))
    if file.suffix == ".json":
        return "json", _in_json(file, traces)
    parts = _of_arrow(file, traces) if file.suffix == ".arrow" else None
    if parts is not None:
        return "arrow", parts
    texts = unpacked(file)
    return None if texts is None else ("archive", sum(map(traces.in_text, texts)))


def _of_arrow(file: Path, traces: Traces) -> int:
    with pa.memory_map(str(file)) as source:
        opened = pa.ipc.open_file(source)
        numbers = range(opened.num_record_batches)
        return sum(_in_batch(opened.get_batch(number), traces) for number in numbers)


def _in_batch(batch: pa.RecordBatch, traces: Traces, *, words: bool = False) -> int:
    return sum(_in_column(column, traces, words=words) for column in batch.columns)


def _in_column(column: pa.Array, traces: Traces, *, words: bool) -> int:
    kind = column.type
    if pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type):
        return traces.in_vectors(_vectors(column))
    if pa.types.is_dictionary(kind):
        return _in_column(column.dictionary, traces, words=words)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = (data.decode("latin-1") for data in column.to_pylist() if data)
        return sum(map(traces.in_text, texts))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        said = [text for text in column.to_pylist() if text]
        return sum(_in_string(text, traces, words=words) for text in said)
    if pa.types.is_nested(kind):
        return sum(
            _in_string(text, traces, words=words)
            for value in column.to_pylist()
            for text in _strings(value)
        )
    return 0


def _vectors(column: pa.FixedSizeListArray) -> Iterator[bytes]:
    width = column.type.list_size * 4
    flat = column.flatten().to_numpy(zero_copy_only=False).tobytes()
    return (flat[at : at + width] for at in range(0, len(flat), width))


def _in_string(text: str, traces: Traces, *, words: bool) -> int:
    named = traces.is_name(text)
    return named + traces.in_text(text) + (traces.in_words(text) if words else 0)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                yield str(name)
                yield from _strings(each)
        case list() | tuple():
            for each in value:
                yield from _strings(each)


def _in_json(file: Path, traces: Traces) -> int:
    value = json.loads(file.read_bytes())
    return sum(_in_string(text, traces, words=False) for text in _strings(value))


def _in_database(place: Place, traces: Traces) -> int:
    """Search the rows, and all pages too where they are of nobody else."""
    uri = f"{place.file.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as opened:
        found = sum(
            _in_row(row, traces)
            for table in tables_of(opened)
            for row in rows_of(opened, table)
            if place.mine is None or place.mine(table, row)
        )
        (free,) = opened.execute("PRAGMA freelist_count").fetchone()
    logs = [place.file.with_name(place.file.name + end) for end in ("-wal", "-journal")]
    loose = [log for log in logs if log.exists()] + (
        [place.file] if free or place.mine is None else []
    )
    return found + sum(_in_bytes(file, traces) for file in loose)


def _in_row(row: dict[str, Any], traces: Traces) -> int:
    texts = (value for value in row.values() if isinstance(value, str))
    blobs = [value for value in row.values() if isinstance(value, bytes)]
    told = sum(_in_value(text, traces) for text in texts)
    told += sum(traces.in_text(blob.decode("latin-1")) for blob in blobs)
    return told + traces.in_vectors(blobs)


def _in_value(text: str, traces: Traces) -> int:
    if text[:1] in {"{", "["}:
        try:
            value = json.loads(text)
        except ValueError:
            return traces.in_text(text)
        return sum(_in_string(each, traces, words=False) for each in _strings(value))
    return _in_string(text, traces, words=False)


def _in_bytes(file: Path, traces: Traces) -> int:
    """Search a file as text, piece by piece, each beginning with the end of the one before."""
    found, before = 0, b""
    with file.open("rb") as opened:
        while piece := opened.read(_CHUNK):
            data = before + piece
            found += traces.in_text(data.decode("utf-8", "replace"))
            before = data[-_OVERLAP:]
    return found
