"""The chunk table: the one shape in which chunks leave retrieval, as Arrow. Knows only pyarrow."""

from collections.abc import Iterable

import pyarrow as pa

from retrieval.records import Chunk

FIELDS = (
    pa.field("uri", pa.string(), nullable=False),
    pa.field("title", pa.string(), nullable=False),
    pa.field("headings", pa.list_(pa.string()), nullable=False),
    pa.field("ordinal", pa.int32(), nullable=False),
    pa.field("text", pa.string(), nullable=False),
    pa.field("digest", pa.string(), nullable=False),
    pa.field("normal_digest", pa.string(), nullable=False),
    pa.field("document_digest", pa.string(), nullable=False),
    pa.field("media_type", pa.string(), nullable=False),
    pa.field("modified_at", pa.timestamp("us", tz="UTC")),
    pa.field("trust", pa.string(), nullable=False),
    pa.field("flags", pa.list_(pa.string()), nullable=False),
)
SCHEMA = pa.schema(FIELDS)


def chunk_table(chunks: Iterable[Chunk]) -> pa.Table:
    """Return the chunks as a table, ordered by uri and then as they stand in the document."""
    ordered = sorted(chunks, key=lambda chunk: (chunk.uri, chunk.ordinal))
    return pa.table(columns_of(ordered), schema=SCHEMA)


def columns_of(chunks: Iterable[Chunk]) -> dict[str, list[object]]:
    """Return the chunks' values column by column, named as in SCHEMA."""
    rows = list(chunks)
    return {name: [getattr(chunk, name) for chunk in rows] for name in SCHEMA.names}
