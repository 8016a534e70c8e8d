"""What a comparison of two snapshots reads of one pinned LanceDB table. Nothing here writes.

An outline names every chunk without its text; the rest is asked for a change, not for the corpus.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from retrieval import table_rows as rows
from retrieval.embedders import Vectors
from retrieval.table_search import TEXT_COLUMN, terms

_BEST = 5


@dataclass(frozen=True, slots=True)
class SnapshotOutline:
    """Every document with its digest, and every chunk's uri with its normal digest, unordered.

    `documents` has the columns uri and document_digest, `chunks` uri and normal_digest.
    """

    documents: pa.Table
    chunks: pa.Table


def read_outline(table: LanceTable) -> SnapshotOutline:
    """Return the outline of a table."""
    first = table.search().where(rows.first_chunks(table.schema)).limit(None)
    every = table.search().limit(None)
    return SnapshotOutline(
        first.select(["uri", "document_digest"]).to_arrow(),
        every.select(["uri", "normal_digest"]).to_arrow(),
    )


def best_cosines(table: LanceTable, wanted: Vectors) -> Vectors:
    """Return each unit vector's best cosine to any vector of the table, -1 if it has none.

    Every vector is compared, batch by batch, so that the memory taken is that of one batch.
    """
    best = np.full(len(wanted), -1.0, dtype=np.float32)
    for batch in table.search().select(["vector"]).limit(None).to_batches():
        if len(batch):
            cosines = wanted @ rows.matrix(batch.column("vector")).T
            np.maximum(best, cosines.max(axis=1), out=best)
    return best


def best_texts(table: LanceTable, questions: Sequence[str]) -> list[list[str]]:
    """Return for each question the texts of the five chunks that full text finds best."""
    return [_texts(table, terms(question)) for question in questions]


def _texts(table: LanceTable, words: str) -> list[str]:
    if not words:
        return []
    found = table.search(MatchQuery(words, TEXT_COLUMN), query_type="fts").limit(_BEST)
    read: pa.Table = found.select([TEXT_COLUMN, "_score"]).to_arrow()
    texts: list[str] = read[TEXT_COLUMN].to_pylist()
    return texts
