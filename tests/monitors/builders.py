"""Chunk tables for tests: a document is its uri and its chunks of text."""

import hashlib
import re

import numpy as np
import pyarrow as pa

from monitors.pair import Pair, pair_of_tables
from monitors.signals.novelty import nearest_to


def chunk_table(documents: dict[str, list[str]], vectors: np.ndarray | None = None) -> pa.Table:
    """Return the chunk table of some documents; a row of `vectors` for each chunk, by uri."""
    rows = [
        {
            "uri": uri,
            "title": uri,
            "headings": [],
            "ordinal": ordinal,
            "text": text,
            "digest": _digest(text),
            "normal_digest": _digest(" ".join(re.findall(r"\w+", text.casefold()))),
            "document_digest": _digest("\0".join(texts)),
        }
        for uri, texts in sorted(documents.items())
        for ordinal, text in enumerate(texts)
    ]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    if vectors is not None:
        width = pa.list_(pa.float32(), vectors.shape[1])
        table = table.append_column("vector", pa.array(vectors.astype("f4").tolist(), width))
    return table


_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("title", pa.string()),
        ("headings", pa.list_(pa.string())),
        ("ordinal", pa.int32()),
        ("text", pa.string()),
        ("digest", pa.string()),
        ("normal_digest", pa.string()),
        ("document_digest", pa.string()),
    ]
)


def pair_of(old: pa.Table, new: pa.Table) -> Pair:
    """Return the pair of two chunk tables; where they have vectors, nearness is known too."""
    if "vector" not in old.column_names:
        return pair_of_tables(old, new)
    flat = old["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(len(old), old["vector"].type.list_size)
    return pair_of_tables(old, new, nearest=nearest_to(matrix))


def pair(old: dict[str, list[str]], new: dict[str, list[str]]) -> Pair:
    """Return the pair of two corpora without vectors."""
    return pair_of(chunk_table(old), chunk_table(new))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def prose(seed: int, words: int = 60) -> str:
    """Return words drawn from a small vocabulary; the same seed gives the same words."""
    drawn = np.random.default_rng(seed).integers(0, 400, size=words)
    return " ".join(f"word{number}" for number in drawn)
