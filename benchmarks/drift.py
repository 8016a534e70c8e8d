"""How well drift is told on releases of real documentation, and how well others tell it.

`python benchmarks/drift.py` measures every labelled pair of releases of the archive as `driftline
compare` does: text only, no vectors. The estimate of staleness is fitted on the pairs of two
projects and judged on the third, all three ways, and the default policy decides by it; the
constants that are shipped were fitted on all three. The limits: no patch release would retrain,
people are told of every major one, Spearman's rank correlation with the share of stale questions
is at least 0.94, and the area under the curve for a share of 5 % at least 0.99.

Beside it stand Evidently's embedding methods and a permutation test of MMD, on MiniLM vectors of a
sample of the same releases: their false alarms are counted on random halves, by document, of one
version. The first run embeds the samples and keeps the vectors in `.bench/`. `--pairs 10` is a
quick trial.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import drift_tables
from corpora import archive_folder
from drift_archive import Release, ReleasePair, Tables, read_pairs, releases_of, unpacked
from drift_ours import judge, judge_unfitted, measure
from drift_peers import ask
from drift_samples import VectorFile, drawn, halves_of
from rich.progress import track
from tables import add_markdown_option, show

from monitors.calibration import FITTED

BENCH = Path(__file__).resolve().parent.parent / ".bench"
SAMPLED = 600  # chunks of a version whose vectors the peers get
# For the processes that are started: one thread each, and no telemetry.
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "DO_NOT_TRACK": "true"}

In = TypeVar("In")
Out = TypeVar("Out")


def main() -> None:
    """Print the tables."""
    chosen = arguments()
    os.environ |= QUIET
    archives = archive_folder(chosen.corpora)
    pairs = read_pairs(archives, most=chosen.pairs)
    with (
        tempfile.TemporaryDirectory() as made,
        ProcessPoolExecutor(chosen.processes, get_context("spawn")) as pool,
    ):
        tables = Tables(Path(made))
        releases = releases_of(pairs)
        places = unpacked(archives, releases, chosen.unpacked or Path(made))
        sources = list(zip(releases, places, strict=True))
        each_of(pool, partial(_write, tables), sources, "Reading releases")
        found = each_of(pool, partial(measure, tables), pairs, "Measuring pairs")
        unfitted, shipped = judge_unfitted(found), judge(found, FITTED)
        printed = [
            drift_tables.decisions(unfitted, shipped, found),
            drift_tables.exceptions(unfitted),
            drift_tables.alone(unfitted, found),
        ]
        if chosen.chunks:
            heard = listen(pool, tables, pairs, chunks=chosen.chunks)
            printed.append(drift_tables.beside(unfitted, found, heard, chunks=chosen.chunks))
    for table in printed:
        show(table.title, table.header, table.rows, chosen.markdown)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    parser.add_argument("--unpacked", type=Path, help="a folder to unpack in, kept for next time")
    parser.add_argument("--pairs", type=int, help="at most so many of each project: a trial")
    parser.add_argument("--chunks", type=int, default=SAMPLED, help="of a version; 0: no peers")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    add_markdown_option(parser)
    return parser.parse_args()


def listen(
    pool: Executor, tables: Tables, pairs: Sequence[ReleasePair], *, chunks: int
) -> drift_tables.Heard:
    """Ask the peers about samples of the pairs, and about halves of one version."""
    texts = {release: drawn(tables.read(release), chunks) for release in releases_of(pairs)}
    halves = halves_of(tables, pairs, chunks=chunks)
    kept = VectorFile(BENCH)
    kept.fill(text for each in texts.values() for text in each)
    kept.fill(text for each in halves for text in (*each.one, *each.other))
    samples = [kept.samples(texts[pair.reference], texts[pair.current]) for pair in pairs]
    cut = [kept.samples(each.one, each.other) for each in halves]
    return drift_tables.Heard(
        pairs=each_of(pool, ask, samples, "Asking the peers of pairs"),
        halves=each_of(pool, ask, cut, "Asking the peers of halves"),
        embedding_cpu_seconds=2 * chunks * kept.cpu_seconds / len(kept),
    )


def each_of(
    pool: Executor, work: Callable[[In], Out], items: Sequence[In], doing: str
) -> list[Out]:
    """Do the work for each item, in other processes, and show how far it is."""
    return list(track(pool.map(work, items), doing, total=len(items)))


def _write(tables: Tables, source: tuple[Release, Path]) -> None:
    tables.write(*source)


if __name__ == "__main__":
    main()
