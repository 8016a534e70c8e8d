"""Small chunk tables, written with LanceDB itself."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable

from retrieval import chunk_table as shape
from retrieval.records import embedded_text

WIDTH = 8


@dataclass(frozen=True)
class Row:
    """What a test says of a chunk; the rest follows from it."""

    uri: str
    text: str = "text"
    vector: Sequence[float] = (1.0,)
    headings: tuple[str, ...] = ()
    media_type: str = "text/markdown"
    trust: str = "trusted"
    flags: tuple[str, ...] = ()
    modified_at: datetime | None = None
    title: str = "Title"


def unit(*values: float) -> np.ndarray:
    """Return a vector of unit length that starts with these values."""
    whole = np.zeros(WIDTH, np.float32)
    whole[: len(values)] = values
    return whole / np.linalg.norm(whole)


def arrow(rows: Sequence[Row]) -> pa.Table:
    """Return the rows as the index would write them."""
    own = [pa.field(name, pa.string(), nullable=False) for name in ("id", "document", "run_id")]
    vector = pa.field("vector", pa.list_(pa.float32(), WIDTH), nullable=False)
    return pa.Table.from_pylist(
        [_values(row) for row in rows], schema=pa.schema([*own, *shape.FIELDS, vector])
    )


def table_of(folder: Path, rows: Sequence[Row]) -> LanceTable:
    """Return a new table `docs` in the folder."""
    return lancedb.connect(folder).create_table("docs", arrow(rows))


def many(count: int, *, seed: int = 0) -> list[Row]:
    """Return rows of made-up words around a few centres, all different."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, WIDTH))
    return [
        Row(
            uri=f"d{at // 5:05}.md",
            text=f"chunk {at} about topic{at % 20} and word{at}",
            vector=[float(x) for x in centres[at % 20] + 0.3 * random.normal(size=WIDTH)],
        )
        for at in range(count)
    ]


def _values(row: Row) -> dict[str, object]:
    return {
        "id": _sha256(f"{row.uri} {row.text}"),
        "document": _sha256(row.uri),
        "run_id": "run",
        "uri": row.uri,
        "title": row.title,
        "headings": list(row.headings),
        "ordinal": 0,
        "text": row.text,
        "digest": _sha256(embedded_text(row.headings, row.text)),
        "normal_digest": _sha256(row.text),
        "document_digest": _sha256(row.uri),
        "media_type": row.media_type,
        "modified_at": row.modified_at,
        "trust": row.trust,
        "flags": list(row.flags),
        "vector": unit(*row.vector).tolist(),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
