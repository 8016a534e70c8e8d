"""The rows of an index as Arrow: its schema, what the schema records, chunks in and out."""

import base64
import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval import chunk_table as shape
from retrieval import filters
from retrieval.embedders import Vectors
from retrieval.records import Chunk, DocumentHeader, Flag, Recipe
from retrieval.spool import Row

FORMAT = b"2"
OLD_FORMATS = (b"1",)  # read as they are; the next refresh makes the index anew, beside them
CHUNK_COLUMNS = tuple(shape.SCHEMA.names)
HEADER_COLUMNS = ("uri", "title", "media_type", "trust", "flags", "reading_order")
_DERIVED = ("ordinal", "document_digest")  # kept with the first chunk of a document
_FORMAT_KEY, _RECIPE_KEY, _PROBES_KEY = (
    b"driftline.format",
    b"driftline.recipe",
    b"driftline.probes",
)


def schema_of(recipe: Recipe, probes: Vectors) -> pa.Schema:
    """Return the schema of a new table; it records the recipe and the embedder's probes.

    What concerns a document as a whole stands in the row of its first chunk alone: the digest of
    its bytes, and `reading_order`, the ids of its chunks. So an edit writes the rows of the chunks
    that it changed, and that one. `row_digest` is the sha256 over everything else in a row.
    """
    own = [
        pa.field(name, pa.string(), nullable=False)
        for name in ("id", "document", "run_id", "row_digest")
    ]
    of_document = [
        pa.field("document_digest", pa.string()),
        pa.field("reading_order", pa.list_(pa.string())),
    ]
    of_chunk = [field for field in shape.FIELDS if field.name not in _DERIVED]
    vector = pa.field("vector", pa.list_(pa.float32(), probes.shape[1]), nullable=False)
    recorded = {
        _FORMAT_KEY: FORMAT,
        _RECIPE_KEY: json.dumps([recipe.embedder, recipe.cutting]).encode(),
        _PROBES_KEY: base64.b64encode(np.ascontiguousarray(probes, np.float32).tobytes()),
    }
    return pa.schema([*own, *of_chunk, *of_document, vector], metadata=recorded)


def first_chunks(schema: pa.Schema) -> str:
    """Return the filter for the rows that speak for a document: one for each."""
    return filters.first_chunks(marked="reading_order" in schema.names)


def is_ours(schema: pa.Schema) -> bool:
    """True if a table has a format that this Driftline reads."""
    found = (schema.metadata or {}).get(_FORMAT_KEY)
    return found == FORMAT or found in OLD_FORMATS


def is_of_an_older_format(schema: pa.Schema) -> bool:
    """True if a table is read as it is, and made anew by the next refresh."""
    return schema.metadata[_FORMAT_KEY] in OLD_FORMATS


def recipe_of(schema: pa.Schema) -> Recipe:
    """Return the recipe that a table's schema records."""
    if is_of_an_older_format(schema):
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


def batch_of(rows: Sequence[Row], schema: pa.Schema, *, run_id: str) -> pa.RecordBatch:
    """Return chunks and their vectors as rows of a table."""
    chunks = [row.chunk for row in rows]
    width = schema.field("vector").type.list_size
    flat = np.concatenate([row.vector for row in rows]) if rows else np.empty(0, np.float32)
    columns = shape.columns_of(chunks) | {
        "id": [chunk.id for chunk in chunks],
        "document": [document_key(chunk.uri) for chunk in chunks],
        "run_id": [run_id] * len(chunks),
        "row_digest": [row_digest(row) for row in rows],
        "document_digest": [row.chunk.document_digest if row.order else None for row in rows],
        "reading_order": [row.order for row in rows],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), width),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def row_digest(row: Row) -> str:
    """Return the sha256 that finds a damaged row: over every value of it, its vector included."""
    chunk = row.chunk
    values = [
        chunk.id,
        chunk.uri,
        chunk.title,
        str(len(chunk.headings)),
        *chunk.headings,
        chunk.text,
        chunk.digest,
        chunk.media_type,
        chunk.trust,
        *chunk.flags,
        "" if chunk.modified_at is None else chunk.modified_at.isoformat(),
        *((chunk.document_digest, *row.order) if row.order else ()),
    ]
    whole = hashlib.sha256("\0".join(values).encode())
    whole.update(row.vector.tobytes())
    return whole.hexdigest()


class DisorderError(ValueError):
    """The rows of a table are not those that its documents name."""


def to_read_whole(schema: pa.Schema, extra: Sequence[str]) -> list[str]:
    """Return the columns from which `in_reading_order` makes whole documents."""
    wanted = ("id", *CHUNK_COLUMNS, "reading_order", *extra)
    return [name for name in dict.fromkeys(wanted) if name in schema.names]


def in_reading_order(table: pa.Table) -> pa.Table:
    """Return the rows of whole documents by uri and ordinal, with the columns of a chunk table.

    Raises DisorderError if a document lacks a chunk, or a chunk has no document.
    """
    if "reading_order" in table.column_names:
        table = _with_ordinals(table)
    if "flags" not in table.column_names:  # an older format
        none = pa.array([[]] * len(table), pa.list_(pa.string()))
        table = table.append_column(shape.SCHEMA.field("flags"), none)
    whole = table.sort_by([("uri", "ascending"), ("ordinal", "ascending")])
    extra = [name for name in whole.column_names if name not in CHUNK_COLUMNS]
    fields = [*shape.FIELDS, *(whole.schema.field(name) for name in extra)]
    return whole.select([field.name for field in fields]).cast(pa.schema(fields))


def _with_ordinals(table: pa.Table) -> pa.Table:
    """Give each row its place in its document and that document's digest, from the first rows."""
    table = table.combine_chunks()
    first = table.filter(pc.is_valid(table["document_digest"]))
    orders = first["reading_order"].combine_chunks()
    ids, parents = pc.list_flatten(orders), pc.list_parent_indices(orders)
    sizes = pc.list_value_length(orders).to_numpy(zero_copy_only=False)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ordinals = pa.array(np.arange(len(ids)) - starts, pa.int32())
    named, held = pc.sort_indices(ids), pc.sort_indices(table["id"])
    if not pa.chunked_array([ids.take(named)]).equals(table["id"].take(held)):
        msg = f"its documents name {len(ids):,} chunks, which are not the {len(table):,} it holds"
        raise DisorderError(msg)
    digests = first["document_digest"].take(parents.take(named))
    rest = table.take(held).drop_columns(["document_digest", "reading_order"])
    return rest.append_column("ordinal", ordinals.take(named)).append_column(
        "document_digest", digests
    )


def headers_from(batch: pa.RecordBatch) -> dict[str, DocumentHeader]:
    """Return what first rows say of their documents, by uri."""
    return {
        row["uri"]: DocumentHeader(
            title=row["title"],
            media_type=row["media_type"],
            trust=row["trust"],
            flags=tuple(map(Flag, row["flags"])),
            order=tuple(row["reading_order"]),
        )
        for row in batch.to_pylist()
    }


def chunks_from(table: pa.Table) -> list[Chunk]:
    """Return rows as chunks, under the ids that they have."""
    derived = {"normal_digest"}
    return [
        Chunk(
            **{name: value for name, value in row.items() if name not in derived}
            | {"headings": tuple(row["headings"]), "flags": tuple(map(Flag, row["flags"]))}
        )
        for row in table.to_pylist()
    ]


def matrix(column: pa.FixedSizeListArray) -> Vectors:
    """Return a column of vectors as a matrix, one row a vector."""
    rows: Vectors = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    return rows
