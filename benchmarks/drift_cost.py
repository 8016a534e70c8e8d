"""What a drift measurement costs as the corpus grows and the change does not.

Run it with `make bench`. An index of 10,000 and one of 100,000 made-up chunks are refreshed with as
many changed chunks each; then drift is measured between their two snapshots, full-text searches
and vectors included, in a process of its own. The limits: ten times the corpus costs at most twice
as much, and less than 10 CPU seconds. Where the archive of releases is at hand, the same for
Django's documentation 4.2 -> 5.0: less than 3 CPU seconds. Imports are not counted.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from corpora import archive_folder, unpack
from memory import TrivialEmbedder
from tables import add_markdown_option, show, verdict

from flows.checking.changes import read_pair
from monitors.drift import measure_drift
from retrieval.drafting import plan_refresh
from retrieval.records import Body, Entry, Listing, Snapshot
from retrieval.refresh import apply_refresh
from retrieval.sources import Feed, Source
from retrieval.sources.folder import FolderSource
from retrieval.store import Index

SIZES = (10_000, 100_000)
CHANGED = 1_000  # chunks: 1 % of the larger corpus
SECTIONS = 50  # chunks of a document
WORDS = 120  # of a chunk
MOST_TIMES, MOST_SECONDS, MOST_DJANGO_SECONDS = 2.0, 10.0, 3.0
KB = "docs"


class MadeUp:
    """Documents that are made up when they are read; the second edition changes some sections."""

    def __init__(self, documents: int, edition: int) -> None:
        self._documents = documents
        self._edition = edition
        self._edited = min(documents, CHANGED // 5)

    def fingerprint(self) -> None:
        """Return None: it has no cheap one."""

    def list_documents(self) -> Listing:
        """Return every document, with a stamp."""
        stamps = [self._edition if at < self._edited else 1 for at in range(self._documents)]
        entries = (Entry(f"d{at:06}.rst", None, stamp=f"{at} {s}") for at, s in enumerate(stamps))
        return Listing(tuple(entries))

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return some paragraphs under headings; some of them differ in the second edition."""
        if entry.stamp is None or entry.stamp == unless:
            return None
        number, edition = map(int, entry.stamp.split())
        changed = CHANGED // self._edited if edition > 1 else 0
        text = "".join(
            f"Heading {at}\n=============\n\n{_said(f'{number} {at} {at < changed}')}\n\n"
            for at in range(SECTIONS)
        )
        return Body(text.encode(), stamp=entry.stamp)


def main() -> None:
    """Print the table; with --measure, only what one measurement cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=3, metavar=("INDEX", "OLD", "NEW"))
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    add_markdown_option(parser)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measured(*arguments.measure))  # noqa: T201 the figure is the output
        return
    with tempfile.TemporaryDirectory() as made:
        rows = [*grown(Path(made)), *django(Path(made), arguments.corpora)]
    header = ("corpus", "changed chunks", "drift, CPU s", "limit", "")
    show("What measuring drift costs", header, rows, arguments.markdown)


def grown(folder: Path) -> list[Sequence[str]]:
    """Return a row for each size."""
    seconds = {}
    for size in SIZES:
        editions = [MadeUp(size // SECTIONS, edition) for edition in (1, 2)]
        seconds[size] = spent(folder / str(size), editions)
    small, large = seconds[SIZES[0]], seconds[SIZES[1]]
    limit = min(MOST_SECONDS, MOST_TIMES * small)
    said = f"<= {MOST_TIMES:.0f} x {small:.2f}, < {MOST_SECONDS:.0f}"
    return [
        (f"{SIZES[0]:,} chunks", f"{CHANGED:,}", f"{small:.2f}", "", ""),
        (
            f"{SIZES[1]:,} chunks",
            f"{CHANGED:,}",
            f"{large:.2f}",
            said,
            verdict(holds=large < limit),
        ),
    ]


def django(folder: Path, archives: Path | None) -> list[Sequence[str]]:
    """Return the row of real documentation."""
    releases = ("4.2", "5.0")
    places = [unpack(archive_folder(archives), "django", r, folder / "d") for r in releases]
    seconds = spent(folder / "django", [FolderSource(place) for place in places])
    holds = verdict(holds=seconds < MOST_DJANGO_SECONDS)
    return [("Django 4.2 -> 5.0", "", f"{seconds:.2f}", f"< {MOST_DJANGO_SECONDS:.0f}", holds)]


def spent(folder: Path, editions: Sequence[Source]) -> float:
    """Return the CPU seconds of one measurement between two editions, in a fresh process."""
    index, embedder, snapshots = Index(folder / "index", KB), TrivialEmbedder(), []
    for source in editions:
        with plan_refresh([Feed(source)], index, embedder) as draft:
            refreshed = apply_refresh(draft, index, embedder, run_id="benchmark")
        snapshots.append(str(index.prepare(refreshed.snapshot)))
    command = [sys.executable, __file__, "--measure", str(folder / "index"), *snapshots]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def measured(folder: str, old: str, new: str) -> float:
    """Return the CPU seconds of one measurement."""
    index = Index(Path(folder), KB)
    began = time.process_time()
    pair = read_pair(index, Snapshot.parse(old), Snapshot.parse(new))
    measure_drift(pair, reference_name=old, current_name=new)
    return time.process_time() - began


def _said(seed: str) -> str:
    random = Random(seed)  # noqa: S311 made-up text, not a secret
    words = (_WORDS[int(len(_WORDS) * random.random() ** 3)] for _ in range(WORDS))
    return " ".join(words)


_WORDS = [f"{np.base_repr(at * 7919, 36).lower()}" for at in range(20_000)]


if __name__ == "__main__":
    main()
