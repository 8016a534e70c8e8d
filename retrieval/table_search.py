"""Search in one pinned LanceDB table: nearest vectors and full text, fused into one answer.

A text that many documents repeat is one hit, whatever its copies. Nothing here writes.
"""

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb.query import LanceQueryBuilder, LanceVectorQueryBuilder, MatchQuery
from lancedb.table import LanceTable
from numpy.typing import NDArray

from retrieval.errors import BadVectorsError
from retrieval.filters import Filters, all_of, one_of_digests, where
from retrieval.fusion import closeness, fuse
from retrieval.records import Hit

Vector = NDArray[np.float32]

TEXT_COLUMN = "text"
MAX_LIMIT = 1_000

# Candidates of each way. On Django's documentation 50 of each find no more than 25 and 40; with 25
# from full text recall@5 is 0.01 lower.
_NEAREST, _LISTED = 25, 40
# Of a vector index: IVF_SQ then finds what an exact search finds (recall@10 1.00, 100,000 rows). A
# search needs no refine factor: it works out the cosines of its candidates itself.
_NPROBES, _REFINE_FACTOR = 20, 5
_MAX_ROUNDS = 8  # each looks past the texts that filled the one before with their copies
_MAX_ALSO = 20
_MAX_COPIES = 1_000  # read to name the other documents of a text
_MAX_TERMS = 64
_MAX_QUESTION_CHARACTERS = 10_000  # what is read of a question for full text
_COLUMNS = ("id", "digest", "uri", "title", "headings", "text", "vector")
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: a question's own words, and its vector by the table's embedder."""

    text: str
    vector: Vector
    limit: int = 5
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            msg = f"A search asks for {self.limit:,} hits; 1 to {MAX_LIMIT:,} can be found."
            raise ValueError(msg)
        if not (np.isfinite(self.vector).all() and np.linalg.norm(self.vector) > 0):
            msg = "A search was given a vector that is zero or not finite."
            raise BadVectorsError(msg)


def find(table: LanceTable, query: Query) -> tuple[Hit, ...]:
    """Return what answers best, best first; each text once, equally good ones ordered by uri.

    Rows that no index knows are found too, so without any index everything is compared. With a
    broken full-text index vectors alone answer, with a broken vector index every one is compared.
    """
    texts = _Texts(query.vector)
    for _ in range(_MAX_ROUNDS):
        filter_ = where(query.filters, without_digests=texts.digests)
        by_vector, by_text = _both_ways(table, query, filter_)
        texts.add(by_vector, by_text)
        full = len(by_vector) >= _nearest_depth(query) or len(by_text) >= _LISTED
        if not full or len(texts.digests) >= query.limit:
            break
    best = texts.ranked(terms(query.text))[: query.limit]
    copies = _copies(table, query.filters, [text.digest for text in best if text.copied])
    return tuple(_hit(text, copies.get(text.digest, [])) for text in best)


def nearest(
    table: LanceTable,
    vector: Vector,
    *,
    limit: int,
    filter_: str | None = None,
    exact: bool = False,
) -> LanceVectorQueryBuilder:
    """Return the query for the vectors nearest by cosine; `exact` compares every one."""
    query = _near(table, vector, limit, filter_)
    return query.bypass_vector_index() if exact else query.refine_factor(_REFINE_FACTOR)


def terms(question: str) -> str:
    """Return the words of a question, each once, with nothing that full text could obey.

    >>> terms('+title:"the cache" AND NOT the*')
    'title the cache AND NOT'
    """
    words = (found[0] for found in re.finditer(r"\w+", question[:_MAX_QUESTION_CHARACTERS]))
    return " ".join(islice(dict.fromkeys(words), _MAX_TERMS))


_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where a text stands; the first one speaks for its copies."""

    uri: str
    id: str
    title: str


@dataclass(slots=True)
class _Text:
    """One text with the first of the rows that hold it, and what is known of it."""

    row: _Row
    similarity: float
    score: float | None = None
    by_vector: bool = False
    copied: bool = False

    @property
    def digest(self) -> str:
        return str(self.row["digest"])

    @property
    def found_by(self) -> tuple[str, ...]:
        return ("vector",) * self.by_vector + ("text",) * (self.score is not None)

    @property
    def place(self) -> _Place:
        return _Place(self.row["uri"], self.row["id"], self.row["title"])


class _Texts:
    """The distinct texts found so far."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector / np.linalg.norm(vector)
        self._found: dict[str, _Text] = {}
        self._all_listed = True

    @property
    def digests(self) -> Collection[str]:
        return self._found.keys()

    def add(self, by_vector: pa.Table, by_text: pa.Table) -> None:
        """Take in what was found."""
        for row, similarity in self._rows(by_vector):
            self._take(row, similarity).by_vector = True
        for row, similarity in self._rows(by_text):
            text = self._take(row, similarity)
            text.score = max(text.score or 0.0, row["_score"])
        self._all_listed &= len(by_text) < _LISTED

    def ranked(self, words: str) -> list[_Text]:
        """Return the texts, best first."""
        texts = [*self._found.values()]
        fused = fuse(
            [text.similarity for text in texts],
            [text.score for text in texts],
            closeness(words, [text.row["text"] for text in texts]),
            all_listed=self._all_listed,
        )
        pairs = sorted(zip(fused, texts, strict=True), key=lambda pair: (-pair[0], pair[1].place))
        return [text for _, text in pairs]

    def _rows(self, table: pa.Table) -> Iterator[tuple[_Row, float]]:
        """Yield each row with its cosine, worked out here so that both ways give the same."""
        if not len(table):
            return
        whole = table["vector"].combine_chunks()
        vectors = whole.flatten().to_numpy().reshape(len(whole), -1)
        lengths = np.linalg.norm(vectors, axis=1)
        cosines = np.clip(vectors @ self._vector / np.maximum(lengths, 1e-12), -1.0, 1.0)
        yield from zip(table.drop_columns("vector").to_pylist(), cosines.tolist(), strict=True)

    def _take(self, row: _Row, similarity: float) -> _Text:
        new = _Text(row, similarity)
        text = self._found.setdefault(new.digest, new)
        if row["id"] != text.row["id"]:
            text.copied = True
            if new.place < text.place:
                text.row = row
        return text


def _both_ways(table: LanceTable, query: Query, filter_: str | None) -> tuple[pa.Table, pa.Table]:
    """Return the candidates by vector and by text; Lance lets go of the lock, so both at once."""
    with ThreadPoolExecutor(max_workers=1) as other:
        by_text = other.submit(_by_text, table, terms(query.text), filter_)
        by_vector = _by_vector(table, query, filter_)
    return by_vector, by_text.result()


def _near(
    table: LanceTable, vector: Vector, limit: int, filter_: str | None
) -> LanceVectorQueryBuilder:
    query = table.search(vector, vector_column_name="vector", query_type="vector")
    query = query.distance_type("cosine").limit(limit).nprobes(_NPROBES)
    return query.where(filter_) if filter_ else query


def _by_vector(table: LanceTable, query: Query, filter_: str | None) -> pa.Table:
    vector, limit = query.vector, _nearest_depth(query)
    try:
        return _read(_near(table, vector, limit, filter_), "_distance")
    except _LANCE_ERRORS as error:
        if not _indexed(table, "vector"):
            raise
        _warn("vector", "Every vector was compared", error)
    return _read(nearest(table, vector, limit=limit, filter_=filter_, exact=True), "_distance")


def _nearest_depth(query: Query) -> int:
    return max(_NEAREST, query.limit)


def _by_text(table: LanceTable, words: str, filter_: str | None) -> pa.Table:
    if words:
        try:
            found = table.search(MatchQuery(words, TEXT_COLUMN), query_type="fts").limit(_LISTED)
            return _read(found.where(filter_) if filter_ else found, "_score")
        except _LANCE_ERRORS as error:
            _warn(TEXT_COLUMN, "Vectors alone answered", error)
    return pa.table({})


def _read(query: LanceQueryBuilder, score: str) -> pa.Table:
    return query.select([*_COLUMNS, score]).to_arrow()


def _indexed(table: LanceTable, column: str) -> bool:
    return any(column in index.columns for index in table.list_indices())


def _warn(column: str, instead: str, error: Exception) -> None:
    _log.warning(
        "The index on %r cannot be read: %s. %s; the next refresh builds it again.",
        column,
        error,
        instead,
    )


def _copies(table: LanceTable, filters: Filters, digests: Sequence[str]) -> dict[str, list[_Place]]:
    """Return where each of these texts stands, sorted."""
    held: dict[str, list[_Place]] = {}
    for digest in digests:
        clause = all_of(where(filters), one_of_digests([digest]))
        query = table.search().where(clause).select(["uri", "id", "title"]).limit(_MAX_COPIES)
        held[digest] = sorted(_Place(**row) for row in query.to_list())
    return held


def _hit(text: _Text, copies: Sequence[_Place]) -> Hit:
    first = min([text.place, *copies])
    others = dict.fromkeys(place.uri for place in copies if place.uri != first.uri)
    return Hit(
        uri=first.uri,
        chunk=first.id,
        title=first.title,
        headings=tuple(text.row["headings"]),
        text=text.row["text"],
        similarity=text.similarity,
        also=tuple(islice(others, _MAX_ALSO)),
        found_by=text.found_by,
    )
