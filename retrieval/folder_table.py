"""The chunk table of a source that was never indexed: no model, no vectors, nothing written."""

from collections.abc import Callable

import pyarrow as pa

from retrieval.chunk_table import chunk_table
from retrieval.chunking import chunk_document
from retrieval.errors import DocumentRefusedError
from retrieval.parsing import parse_body
from retrieval.records import Body, Chunk, Document, Refusal
from retrieval.sources import Source
from retrieval.token_estimate import approximate_tokens

CHUNK_TOKENS = 256  # the window of MiniLM, so that the chunks are much like an index's


def read_chunk_table(
    source: Source, *, parse_document: Callable[[str, Body, str], Document] = parse_body
) -> tuple[pa.Table, tuple[Refusal, ...]]:
    """Return the chunk table of a source and what was refused; two of them can be compared."""
    listing = source.list_documents()
    chunks: list[Chunk] = []
    refused = list(listing.refused)
    for entry in listing.entries:
        try:
            body = source.read(entry)
            if body is None:
                continue
            document = parse_document(entry.uri, body, "trusted")
        except DocumentRefusedError as error:
            refused.append(Refusal(entry.uri, error.reason_code, error.reason))
            continue
        chunks += chunk_document(document, approximate_tokens, max_tokens=CHUNK_TOKENS)
    return chunk_table(chunks), tuple(sorted(refused, key=lambda refusal: refusal.uri))
