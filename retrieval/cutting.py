"""From one document's bytes to its chunks: parse, then cut. The same here and on a worker."""

import hashlib
from collections.abc import Callable

from retrieval.chunking import CHUNKER_VERSION, chunk_document
from retrieval.embedders import Embedder
from retrieval.parsing import PARSER_VERSION
from retrieval.reading import Cut, Cutting
from retrieval.records import Body, Document

Parse = Callable[[str, Body, str], Document]
"""Parses one document, given its uri, its body and the trust in its source."""


def cutter(parse_document: Parse, embedder: Embedder, max_tokens: int) -> Cut:
    """Return what cuts documents into chunks of at most so many of the embedder's tokens."""

    def cut(uri: str, body: Body, trust: str) -> Cutting:
        document = parse_document(uri, body, trust)
        chunks = chunk_document(document, embedder.count_tokens, max_tokens=max_tokens)
        return Cutting(chunks, document.flags, document.neutralised)

    return cut


def cutting_of(max_tokens: int) -> str:
    """Return a digest of how documents are parsed and cut.

    >>> cutting_of(256) == cutting_of(256) != cutting_of(128)
    True
    """
    versions = f"parser {PARSER_VERSION}, chunker {CHUNKER_VERSION}, {max_tokens} tokens"
    return hashlib.sha256(versions.encode()).hexdigest()
