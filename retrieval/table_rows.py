"""The rows of an index as Arrow: its schema, what the schema records, chunks in and out."""

import base64
import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from retrieval import chunk_table as shape
from retrieval.embedders import Vector, Vectors
from retrieval.records import Chunk, Flag, Recipe

FORMAT = b"2"
OLD_FORMATS = (b"1",)  # read as they are; the next refresh makes the index anew, beside them
CHUNK_COLUMNS = tuple(shape.SCHEMA.names)
_FORMAT_KEY, _RECIPE_KEY, _PROBES_KEY = (
    b"driftline.format",
    b"driftline.recipe",
    b"driftline.probes",
)


def schema_of(recipe: Recipe, probes: Vectors) -> pa.Schema:
    """Return the schema of a new table; it records the recipe and the embedder's probes.

    `row_digest` is the sha256 over everything else that a row says, its vector included.
    """
    own = [
        pa.field(name, pa.string(), nullable=False)
        for name in ("id", "document", "run_id", "row_digest")
    ]
    vector = pa.field("vector", pa.list_(pa.float32(), probes.shape[1]), nullable=False)
    recorded = {
        _FORMAT_KEY: FORMAT,
        _RECIPE_KEY: json.dumps([recipe.embedder, recipe.cutting]).encode(),
        _PROBES_KEY: base64.b64encode(np.ascontiguousarray(probes, np.float32).tobytes()),
    }
    return pa.schema([*own, *shape.FIELDS, vector], metadata=recorded)


def is_ours(schema: pa.Schema) -> bool:
    """True if a table has a format that this Driftline reads."""
    found = (schema.metadata or {}).get(_FORMAT_KEY)
    return found == FORMAT or found in OLD_FORMATS


def recipe_of(schema: pa.Schema) -> Recipe:
    """Return the recipe that a table's schema records."""
    if schema.metadata[_FORMAT_KEY] in OLD_FORMATS:
        return Recipe(schema.metadata[b"driftline.embedder"].decode(), "of an older format")
    return Recipe(*json.loads(schema.metadata[_RECIPE_KEY]))


def probes_of(schema: pa.Schema) -> Vectors:
    """Return the probe vectors that a table's schema records, one row a probe."""
    flat = np.frombuffer(base64.b64decode(schema.metadata[_PROBES_KEY]), dtype=np.float32)
    rows: Vectors = flat.reshape(-1, schema.field("vector").type.list_size)
    return rows


def document_key(uri: str) -> str:
    """Return the sha256 of a uri, hex: what filters hold in its place, whatever it contains.

    >>> len(document_key("x' OR '1'='1"))
    64
    """
    return hashlib.sha256(uri.encode()).hexdigest()


def batch_of(
    chunks: Sequence[Chunk], vectors: Sequence[Vector], schema: pa.Schema, *, run_id: str
) -> pa.RecordBatch:
    """Return chunks and their vectors as rows of a table."""
    width = schema.field("vector").type.list_size
    flat = np.concatenate(vectors) if len(vectors) else np.empty(0, np.float32)
    columns = shape.columns_of(chunks) | {
        "id": [chunk.id for chunk in chunks],
        "document": [document_key(chunk.uri) for chunk in chunks],
        "run_id": [run_id] * len(chunks),
        "row_digest": [row_digest(*pair) for pair in zip(chunks, vectors, strict=True)],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), width),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def row_digest(chunk: Chunk, vector: Vector) -> str:
    """Return the sha256 that finds a damaged row: over every value of a chunk and its vector."""
    values = [
        chunk.id,
        chunk.uri,
        str(chunk.ordinal),
        chunk.title,
        str(len(chunk.headings)),
        *chunk.headings,
        chunk.text,
        chunk.digest,
        chunk.normal_digest,
        chunk.document_digest,
        chunk.media_type,
        chunk.trust,
        *chunk.flags,
        "" if chunk.modified_at is None else chunk.modified_at.isoformat(),
    ]
    whole = hashlib.sha256("\0".join(values).encode())
    whole.update(vector.tobytes())
    return whole.hexdigest()


def chunks_from(batch: pa.RecordBatch) -> list[Chunk]:
    """Return rows as chunks, under the ids that they have."""
    return [
        Chunk(
            **row
            | {
                "headings": tuple(row["headings"]),
                "flags": tuple(map(Flag, row["flags"])),
            }
        )
        for row in batch.to_pylist()
    ]


def stored(schema: pa.Schema, columns: Sequence[str]) -> list[str]:
    """Return those of the columns that a table has: an older format lacks some."""
    return [name for name in columns if name in schema.names]


def completed(batch: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> pa.Table:
    """Return the columns in this order, those that an older format lacks as empty lists."""
    empty = pa.array([[]] * batch.num_rows, pa.list_(pa.string()))
    arrays = [
        batch.column(name) if name in batch.schema.names else empty for name in columns
    ]
    schema = pa.schema(
        [
            batch.schema.field(name) if name in batch.schema.names else shape.SCHEMA.field(name)
            for name in columns
        ]
    )
    return type(batch).from_arrays(arrays, schema=schema)


def matrix(column: pa.FixedSizeListArray) -> Vectors:
    """Return a column of vectors as a matrix, one row a vector."""
    rows: Vectors = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    return rows
