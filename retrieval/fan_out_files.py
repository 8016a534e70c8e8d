"""A batch as a file that both sides of a fan-out can see: Arrow, never a pickle."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Job:
    """One batch to be worked off: small enough to travel as a parameter, whatever it holds.

    `file` is on storage that the workers see too, under the same path; the answer is written
    beside it. `max_tokens` is for chunks.
    """

    kind: Literal["cut", "embed"]
    file: str
    max_tokens: int = 0

    @property
    def answer(self) -> Path:
        """Where the answer is written."""
        return Path(f"{self.file}.answer")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a file, and the facts that whoever wrote it states about itself."""

    rows: Sequence[dict[str, Any]]
    facts: Mapping[str, str] = field(default_factory=dict)


def write_batch(file: Path, batch: Batch) -> str:
    """Write a batch, whole or not at all, and return the sha256 of the file: its receipt."""
    table = pa.Table.from_pylist(list(batch.rows)).replace_schema_metadata(dict(batch.facts))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    # A name of its own: a batch that is done again may still be under way somewhere else.
    partial = file.with_name(f"{file.name}.{uuid4().hex}.part")
    partial.write_bytes(data)
    partial.replace(file)
    return hashlib.sha256(data).hexdigest()


def read_batch(file: Path, receipt: str | None = None) -> Batch:
    """Return the rows of a file; raise OSError if it is not what the receipt was given for."""
    data = file.read_bytes()
    if receipt is not None and hashlib.sha256(data).hexdigest() != receipt:
        msg = f"{file} is not what was written"
        raise OSError(msg)
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        table = reader.read_all()
    metadata = table.schema.metadata or {}
    return Batch(table.to_pylist(), {key.decode(): told.decode() for key, told in metadata.items()})
