"""What is read of one pinned LanceDB table: documents, chunks and vectors. Nothing here writes.

A damaged table is read by rows that still hash to what they were written with, so that damage is
never copied into a new one.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa
from lancedb.query import LanceQueryBuilder
from lancedb.table import LanceTable

from retrieval import table_rows as rows
from retrieval.embedders import Vector
from retrieval.filters import all_of, digest_filters
from retrieval.records import Chunk, DocumentHeader, DocumentState, Recipe
from retrieval.table_verify import intact


def documents(table: LanceTable) -> dict[str, DocumentState]:
    """Return each document's uri with what the table holds of it."""
    batches = scan(table, ["uri", "document_digest", "trust"], rows.first_chunks(table.schema))
    return {
        uri: DocumentState(digest, trust)
        for batch in batches
        for uri, digest, trust in zip(*_lists(batch), strict=True)
    }


def headers(table: LanceTable, uris: Collection[str]) -> dict[str, DocumentHeader]:
    """Return what the table says of these documents as a whole, by uri."""
    found: dict[str, DocumentHeader] = {}
    first = rows.first_chunks(table.schema)
    for clause in digest_filters("document", keys(uris)):
        for batch in scan(table, list(rows.HEADER_COLUMNS), all_of(first, clause)):
            found |= rows.headers_from(batch)
    return found


def vectors(table: LanceTable, wheres: Sequence[str], *, suspect: bool) -> dict[str, Vector]:
    """Return by text digest the vectors of the rows that any of these filters lets through.

    Of a `suspect` table only those of rows that are what they were written as.
    """
    found: dict[str, Vector] = {}
    columns = table.schema.names if suspect else ["digest", "vector"]
    for where in wheres:
        for batch in scan(table, columns, where):
            kept = batch.filter(pa.array(intact(batch), pa.bool_())) if suspect else batch
            matrix = rows.matrix(kept.column("vector"))
            found.update(zip(kept.column("digest").to_pylist(), matrix, strict=True))
    return found


def chunks_of(table: LanceTable, *, where: str, suspect: bool) -> list[Chunk]:
    """Return the chunks of the documents that a filter lets through.

    Of a `suspect` table none, unless all of them are what they were written as. Raises
    DisorderError for a document that lacks a chunk.
    """
    damaged = suspect and not all(
        all(intact(batch)) for batch in scan(table, table.schema.names, where)
    )
    return [] if damaged else rows.chunks_from(whole(table, ["id"], where))


def whole(table: LanceTable, extra: Sequence[str], where: str | None = None) -> pa.Table:
    """Return whole documents as chunks in reading order, with extra columns.

    Raises DisorderError if one lacks a chunk.
    """
    query = _query(table, rows.to_read_whole(table.schema, extra), where)
    return rows.in_reading_order(query.to_arrow())


def scan(
    table: LanceTable, columns: Sequence[str], where: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield some columns batch by batch, in the order asked for."""
    for batch in _query(table, list(columns), where).to_batches():
        yield batch.select(list(columns))


def content_digest(recipe: Recipe, states: Mapping[str, DocumentState]) -> str:
    """Return the sha256 over a recipe and documents: what a snapshot says, however it came.

    >>> one = content_digest(Recipe("e", "c"), {"a.md": DocumentState("d", "trusted")})
    >>> one == content_digest(Recipe("e", "c"), {"b.md": DocumentState("d", "trusted")})
    False
    """
    digest = hashlib.sha256(f"{recipe.embedder}\n{recipe.cutting}\n".encode())
    for uri in sorted(states):
        state = states[uri]
        digest.update(f"{rows.document_key(uri)} {state.digest} {state.trust}\n".encode())
    return digest.hexdigest()


def keys(uris: Collection[str]) -> list[str]:
    """Return what filters hold in place of these uris, sorted."""
    return sorted(map(rows.document_key, uris))


def _query(table: LanceTable, columns: list[str], where: str | None) -> LanceQueryBuilder:
    query = table.search().select(columns).limit(None)
    return query.where(where) if where else query


def _lists(batch: pa.RecordBatch) -> list[list[str]]:
    return [column.to_pylist() for column in batch.columns]
