"""Indices of the chunk table: which ones, from what size, when again, and whether they find.

An index belongs to the version that its building makes: build, then publish. None is needed for
an answer; a search without one compares every row.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from lancedb.index import FTS, BTree, IvfSq
from lancedb.table import LanceTable
from numpy.typing import NDArray

from retrieval.table_search import TEXT_COLUMN, nearest

KEY_INDEX_ROWS = 20_000
VECTOR_INDEX_ROWS = 50_000
LOWEST_RECALL = 0.95

_KEYS = ("id", "digest")
_PROBES, _PROBED_DEPTH = 50, 10
_SAME_DISTANCE = 1e-6
STALE_ROWS = 10_000
"""Rows that an index does not know are compared one by one: 6,000 take 18 ms of a search."""

_STALE_SHARE = 0.2
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)
# Every word counts in technical text: without `not`, `for` and `with` recall@5 on questions from
# Django's documentation was 0.84 and not 0.88. ICU also finds the words of Chinese, Japanese and
# Thai. Positions would only serve phrases.
_FULL_TEXT = FTS(base_tokenizer="icu/split", with_position=False, remove_stop_words=False)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a build left behind.

    `recall` is that of the vector index on its probes, None where none was built; `failed` are the
    columns whose index could not be built or found too little: they are searched row by row.
    `versions` is how many versions of the table the build made; the last is the one to publish.
    """

    built: tuple[str, ...]
    recall: float | None
    failed: tuple[str, ...]
    versions: int


def build_indices(
    table: LanceTable,
    *,
    vector_from: int = VECTOR_INDEX_ROWS,
    keys_from: int = KEY_INDEX_ROWS,
    lowest_recall: float = LOWEST_RECALL,
) -> Indexed:
    """Build, from scratch, every index that pays at this size, and drop the ones that do not.

    The table is to be at its newest version, with the writer's lease held.
    """
    before, rows = table.version, table.count_rows()
    wanted: dict[str, FTS | BTree | IvfSq] = {}
    if rows:
        wanted[TEXT_COLUMN] = _FULL_TEXT
    if rows >= keys_from:
        wanted |= {key: BTree() for key in _KEYS}
    if rows >= vector_from:
        wanted["vector"] = IvfSq(distance_type="cosine")
    _drop(table, set(_indexed(table)) - set(wanted))
    built = [column for column, config in wanted.items() if _build(table, column, config)]
    recall = measured_recall(table) if "vector" in built else None
    if recall is not None and recall < lowest_recall:
        _log.warning(
            "The vector index found %.2f of what is nearest, under %.2f: every vector is compared.",
            recall,
            lowest_recall,
        )
        _drop(table, ["vector"])
        built.remove("vector")
    failed = tuple(column for column in wanted if column not in built)
    return Indexed(tuple(built), recall, failed, table.version - before)


def measured_recall(table: LanceTable) -> float:
    """Return the share of the ten nearest to 50 of the table's own vectors that are found.

    By distance: of copies at one distance, any will do.
    """
    shares = []
    for probe in _probes(table):
        exact, found = (
            nearest(table, probe, limit=_PROBED_DEPTH, exact=exact).select(["_distance"])
            for exact in (True, False)
        )
        furthest = exact.to_arrow()["_distance"].to_numpy()
        reached = found.to_arrow()["_distance"].to_numpy() <= furthest.max() + _SAME_DISTANCE
        shares.append(np.count_nonzero(reached) / len(furthest))
    return float(np.mean(shares)) if shares else 1.0


def due(
    table: LanceTable,
    *,
    vector_from: int = VECTOR_INDEX_ROWS,
    keys_from: int = KEY_INDEX_ROWS,
    stale_rows: int = STALE_ROWS,
    thorough: bool = True,
) -> tuple[str, ...]:
    """Return why the indices are to be built again; nothing if they serve.

    An index is stale from a fifth of all rows on that it does not know, if these are more than
    `stale_rows`. Unless it is `thorough`, a missing index is a reason only where nothing could be
    found without it, that is of full text: a vector index that found too little, or for which
    memory did not suffice, would else be tried again at every refresh. Costs milliseconds: it
    reads what the table says of itself.
    """
    rows, names = table.count_rows(), _indexed(table)
    expected = [TEXT_COLUMN] if rows else []
    if thorough:
        expected += _KEYS if rows >= keys_from else ()
        expected += ["vector"] if rows >= vector_from else []
    reasons = [f"no index on {column}" for column in expected if column not in names]
    for column, name in names.items():
        stats = table.index_stats(name)
        if stats is None:
            reasons.append(f"the index on {column} cannot be read")
        elif stats.num_unindexed_rows > max(stale_rows, _STALE_SHARE * rows):
            reasons.append(
                f"the index on {column} does not know {stats.num_unindexed_rows:,} of {rows:,} rows"
            )
    return tuple(reasons)


def _build(table: LanceTable, column: str, config: FTS | BTree | IvfSq) -> bool:
    """Build one index, whole: folding new rows into an old one costs as much and can go wrong."""
    try:
        table.create_index(column, config=config, replace=True)
    except (*_LANCE_ERRORS, MemoryError) as error:
        _log.warning("No index on %r could be built, rows are compared: %s", column, error)
        return False
    return True


def _drop(table: LanceTable, columns: Iterable[str]) -> None:
    names = _indexed(table)
    for column in sorted(columns):
        table.drop_index(names[column])


def _indexed(table: LanceTable) -> dict[str, str]:
    """Return the name of the index on each column that has one."""
    return {index.columns[0]: index.name for index in table.list_indices()}


def _probes(table: LanceTable) -> Iterator[NDArray[np.float32]]:
    """Yield vectors of rows that lie evenly over the table."""
    rows = table.count_rows()
    offsets = sorted({at * rows // _PROBES for at in range(_PROBES)}) if rows else []
    found = table.take_offsets(offsets).select(["vector"]).to_arrow()
    yield from np.asarray(found["vector"].to_pylist(), np.float32)
