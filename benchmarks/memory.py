"""Memory of a first build and of a small refresh after it, from thousands of chunks to a million.

Run it with `make bench`. Every size is built in a process of its own from documents that are made
up as they are read; what the imports take is subtracted. Vectors have 384 numbers and cost
nothing. A million chunks take some minutes and 4 GB of disk: choose the sizes with --chunks.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
from tables import add_markdown_option, show, verdict

from retrieval.drafting import plan_refresh
from retrieval.embedders import OnProgress, Vector, Vectors
from retrieval.records import Body, Entry, Listing
from retrieval.refresh import apply_refresh
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed
from retrieval.store import Index
from retrieval.vector_journal import VectorJournal

SIZES = (7_000, 100_000, 1_000_000)
SECTIONS = 50  # chunks of a document
VOCABULARY = 20_000
LIMIT_BYTES = 100_000_000
DIMENSION = 384


class MadeUp:
    """Documents that are made up when they are read; `edition` changes the first."""

    def __init__(self, documents: int, edition: int) -> None:
        self._documents = documents
        self._edition = edition

    def fingerprint(self) -> None:
        """Return None: it has no cheap one."""

    def list_documents(self) -> Listing:
        """Return every document, with a stamp."""
        stamps = [self._edition if number == 0 else 1 for number in range(self._documents)]
        return Listing(
            tuple(
                Entry(f"d{number:06}.rst", None, stamp=f"{number} {stamp}")
                for number, stamp in enumerate(stamps)
            )
        )

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return some paragraphs under headings."""
        if entry.stamp == unless:
            return None
        text = "".join(
            f"Heading {at}\n=============\n\n{_words(f'{entry.stamp} {at}')}\n\n"
            for at in range(SECTIONS)
        )
        return Body(text.encode(), stamp=entry.stamp)


class TrivialEmbedder:
    """A vector from the text's hash."""

    fingerprint = "trivial"
    dimension = DIMENSION
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return four characters a token."""
        return [len(text) // 4 + 2 for text in texts]

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text."""
        del on_progress
        hashed = b"".join(hashlib.shake_128(text.encode()).digest(DIMENSION) for text in texts)
        rows = np.frombuffer(hashed, np.uint8).reshape(-1, DIMENSION).astype(np.float32) - 127.5
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def embed_query(self, text: str) -> Vector:
        """Return the row of one text."""
        row: Vector = self.embed([text])[0]
        return row


def main() -> None:
    """Print the table, or measure one refresh in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--measure", nargs=3, metavar=("FOLDER", "CHUNKS", "EDITION"))
    add_markdown_option(parser)
    chosen = parser.parse_args()
    if chosen.measure:
        folder, chunks, edition = chosen.measure
        print(measured(Path(folder), int(chunks), int(edition)))  # noqa: T201 to who asked
        return
    rows = []
    for chunks in chosen.chunks:
        peaks = peaks_of(chunks)
        shown = (f"{peak / 1e6:.0f}" for peak in (*peaks, LIMIT_BYTES))
        rows.append((f"{chunks:,}", *shown, verdict(holds=max(peaks) <= LIMIT_BYTES)))
    header = ("chunks", "first build, MB", "one document edited, MB", "limit, MB", "")
    show("Memory above imports", header, rows, chosen.markdown)


def peaks_of(chunks: int) -> tuple[int, ...]:
    """Return the peaks of a first build and of a refresh after one edit, each in a process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--measure", folder, str(chunks)]
        return tuple(
            int(subprocess.run([*command, edition], capture_output=True, check=True).stdout)
            for edition in ("1", "2")
        )


def measured(folder: Path, chunks: int, edition: int) -> int:
    """Return the peak of one refresh above what the imports take, in bytes."""
    refresh(folder / f"rehearsal {edition}", 1, edition=1)  # loads what is loaded on first use
    base: int = psutil.Process().memory_info().rss
    documents = chunks // SECTIONS
    return peak_of(lambda: refresh(folder / "real", documents, edition=edition)) - base


def refresh(folder: Path, documents: int, *, edition: int) -> None:
    """Plan and apply, as a scheduled run would."""
    index, embedder = Index(folder / "index", "docs"), TrivialEmbedder()
    cache = ScanCache(folder / "scan.db")
    journal = VectorJournal(folder / "vectors.db", embedder.fingerprint)
    feeds = (Feed(MadeUp(documents, edition)),)
    with plan_refresh(feeds, index, embedder, cache=cache, journal=journal) as draft:
        apply_refresh(draft, index, embedder, run_id="benchmark", cache=cache, journal=journal)


def peak_of(work: Callable[[], None]) -> int:
    """Return the most memory that this process had resident while it worked, in bytes."""
    process, stop = psutil.Process(), threading.Event()
    seen: list[int] = [process.memory_info().rss]

    def look() -> None:
        while not stop.wait(0.02):
            seen.append(process.memory_info().rss)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        work()
    finally:
        stop.set()
        watching.join()
    return max(seen)


def _words(seed: str) -> str:
    """Return a hundred words out of 20,000, other ones for every seed, some far more often."""
    drawn = np.random.default_rng(zlib.crc32(seed.encode())).zipf(1.2, 100) % VOCABULARY
    return " ".join(f"word{number}" for number in drawn)


if __name__ == "__main__":
    main()
