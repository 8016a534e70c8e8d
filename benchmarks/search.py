"""What a search costs beside LanceDB's own hybrid query, and what it finds beside each way alone.

`python benchmarks/search.py` times both, query by query in turn, on 100,000 made-up chunks, flat
and with a vector index; then it asks questions of Scrapy's documentation (`--projects` asks other
documentation too: a minute or three each). The limits: a median time within 1.3 times LanceDB's,
recall@10 of the vector index at least 0.95, and a 95 % interval over the better way alone that
is above 0.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import lancedb
import numpy as np
import pyarrow as pa
from answers import (
    BOTH,
    RELEASES,
    WAYS,
    Findings,
    Vectors,
    findings,
    hits,
    interval,
    reciprocals,
    table_of,
)
from corpora import archive_folder
from lancedb.table import LanceTable
from numpy.typing import NDArray
from rich.table import Table
from tables import add_markdown_option, show_table

from retrieval.records import Chunk
from retrieval.table_indices import build_indices
from retrieval.table_search import Query, find, nearest

ROWS, WIDTH, CENTRES = 100_000, 384, 500
QUERIES, PROBES = 100, 50
SLOWEST, LOWEST_RECALL = 1.3, 0.95
MEASURES = {"recall@5": hits, "MRR": reciprocals}
PROSE = Path(__file__).resolve().parent.parent / "examples" / "handbook" / "v1"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured; `peer` is LanceDB's own query, or the better way alone."""

    row: str
    ours: float
    peer: float
    limit: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of seconds and means of CPU seconds, LanceDB's first."""

    wall: tuple[float, float]
    cpu: tuple[float, float]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--projects", nargs="*", choices=RELEASES, default=["scrapy"])
    parser.add_argument("--questions", type=int, default=1_000, help="of each kind")
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    add_markdown_option(parser)
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        if arguments.rows:
            show_table(cost(Path(made), arguments.rows, rows), arguments.markdown)
        if arguments.projects:
            archives = archive_folder(arguments.corpora)
            found = [
                each
                for project in arguments.projects
                for each in findings(project, archives, Path(made), arguments.questions)
            ]
            show_table(found_shares(found, rows), arguments.markdown)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2), "utf-8")


def cost(folder: Path, count: int, rows: list[Row]) -> Table:
    """Return the times of a hybrid search, ours and LanceDB's own, one after the other."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CENTRES, WIDTH)).astype(np.float32)
    prose = " ".join(path.read_text("utf-8") for path in sorted(PROSE.rglob("*.md")))
    words = np.array(prose.split())  # an array once: drawing from a list makes one each time
    asked = [" ".join(random.choice(words, 8)) for _ in range(QUERIES)]
    asked = ["".join(c if c.isalnum() else " " for c in text) for text in asked]  # bare would raise
    vectors = clustered(random, centres, QUERIES)
    table = lancedb.connect(folder).create_table("docs", made_up(random, centres, words, count))
    columns = ("LanceDB", "ours", "ratio", "limit", "")
    shown = Table(f"{count:,} chunks", *columns, title="What a search costs")
    for name, vector_from in (("full text", count + 1), ("full text, vectors", count)):
        build_indices(table, vector_from=vector_from)
        spent = compared(table, asked, vectors)
        bare, ours = spent.wall
        ok = ours <= SLOWEST * bare
        rows.append(Row(f"search, {count:,} chunks, {name}: p50 s", ours, bare, "<= 1.3 x", ok))
        shown.add_row(f"{name}: p50 ms", *_pair(spent.wall), f"<= {SLOWEST}", _verdict(ok=ok))
        shown.add_row(f"{name}: CPU ms", *_pair(spent.cpu), "", "")
    bare, ours = shares(table, vectors[:PROBES])
    ok = ours >= LOWEST_RECALL
    rows.append(Row("vector index: recall@10", ours, bare, f">= {LOWEST_RECALL}", ok))
    cells = (f"{bare:.3f}", f"{ours:.3f}", "", f">= {LOWEST_RECALL}", _verdict(ok=ok))
    shown.add_row("vector index: recall@10", *cells)
    return shown


def compared(table: LanceTable, asked: Sequence[str], vectors: Vectors) -> Cost:
    """Return what LanceDB's hybrid query costs and what ours does, asked in turn."""
    wall: tuple[list[float], list[float]] = ([], [])
    cpu: tuple[list[float], list[float]] = ([], [])
    for text, vector in zip(asked, vectors, strict=True):
        bare = table.search(query_type="hybrid").vector(vector).text(text).limit(5)
        works: list[Callable[[], object]] = [
            bare.to_list,
            lambda text=text, vector=vector: find(table, Query(text, vector)),  # type: ignore[misc]
        ]
        for work, seconds, cpu_seconds in zip(works, wall, cpu, strict=True):
            began, cpu_began = time.perf_counter(), time.process_time()
            work()
            seconds.append(time.perf_counter() - began)
            cpu_seconds.append(time.process_time() - cpu_began)
    means = (float(np.mean(cpu[0])), float(np.mean(cpu[1])))
    return Cost((median(wall[0]), median(wall[1])), means)


def shares(table: LanceTable, vectors: Vectors) -> tuple[float, float]:
    """Return recall@10 of the vector index, as LanceDB asks it by default and as we do."""
    counts = np.zeros(2)
    for vector in vectors:
        asked = (
            nearest(table, vector, limit=10, exact=True),
            table.search(vector).limit(10),
            nearest(table, vector, limit=10),
        )
        exact, *found = (
            set(query.select(["id", "_distance"]).to_arrow()["id"].to_pylist()) for query in asked
        )
        counts += [len(each & exact) / len(exact) for each in found]
    bare, ours = counts / len(vectors)
    return float(bare), float(ours)


def found_shares(found: Sequence[Findings], rows: list[Row]) -> Table:
    """Return recall@5 and mean reciprocal rank of each way, and what a search adds."""
    title = "What a search finds; gain over the better way alone, 95 % interval"
    shown = Table("", *WAYS, "gain", title=title)
    for each in found:
        for measure, scored in MEASURES.items():
            scores = {way: scored(ranks) for way, ranks in each.ranks.items()}
            ours, best = scores[BOTH], scores[each.best_way]
            gain, low, high = interval(ours - best)
            name = f"{each.project}, {len(ours):,} {each.questions}: {measure}"
            means = [f"{score.mean():.3f}" for score in scores.values()]
            shown.add_row(name, *means, f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]")
            limit = "interval of the gain above 0"
            rows.append(Row(name, float(ours.mean()), float(best.mean()), limit, low > 0))
    return shown


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


def _pair(seconds: tuple[float, float]) -> tuple[str, str, str]:
    bare, ours = seconds
    return f"{1e3 * bare:.1f}", f"{1e3 * ours:.1f}", f"{ours / bare:.2f}"


def _verdict(*, ok: bool) -> str:
    return "ok" if ok else "falls short"


if __name__ == "__main__":
    main()
