"""How rows get into a LanceDB table: all of a new one, or one merge. Each is one atomic commit."""

from collections.abc import Collection, Iterable, Sequence

import lancedb
import pyarrow as pa
from lancedb.table import LanceTable

from retrieval import table_rows as rows
from retrieval.filters import any_of, digest_filters
from retrieval.spool import Row
from retrieval.table_reading import keys

Rows = Iterable[Sequence[Row]]
"""Chunks with their vectors, batch by batch."""


def create(
    connection: lancedb.DBConnection, name: str, content: Rows, schema: pa.Schema, *, run_id: str
) -> LanceTable:
    """Return a new table of these rows."""
    return connection.create_table(name, _reader(content, schema, run_id), schema=schema)


def merge(
    table: LanceTable,
    content: Rows,
    *,
    removed: Collection[str],
    gone: Collection[str],
    run_id: str,
) -> None:
    """Write rows over those of the same id, and take away documents, by uri, and chunks, by id."""
    documents = digest_filters("document", keys(removed))
    scope = any_of(*documents, *digest_filters("id", sorted(gone)))
    (
        table.merge_insert("id")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .when_not_matched_by_source_delete(scope)
        .execute(_reader(content, table.schema, run_id))
    )


def _reader(content: Rows, schema: pa.Schema, run_id: str) -> pa.RecordBatchReader:
    batches = (rows.batch_of(each, schema, run_id=run_id) for each in content)
    return pa.RecordBatchReader.from_batches(schema, batches)
