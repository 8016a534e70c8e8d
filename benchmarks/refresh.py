"""What a refresh costs beside the embedder, as a ratio to reading and hashing every document.

Run it with `make bench`. It takes a folder of documents (default: the handbook, copied 40 times),
and an embedder that costs nothing, so that what is measured is ours. CPU seconds, medians of five.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from retrieval.embedding import OnProgress, Vectors
from retrieval.refresh import apply_refresh, plan_refresh
from retrieval.sources.folder import FolderSource
from retrieval.store import Index
from retrieval.token_estimate import approximate_tokens

HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook" / "v1"
RUNS = 5


class TrivialEmbedder:
    """A vector from the text's hash, at no cost: leaves what a refresh itself costs."""

    fingerprint = "trivial"
    dimension = 8
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return an estimate, as a folder without a model gets."""
        return approximate_tokens(texts)

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text."""
        del on_progress
        rows = [hashlib.sha256(text.encode()).digest()[: self.dimension] for text in texts]
        vectors = np.array([list(row) for row in rows], dtype=np.float32) + 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, help="a folder of documents")
    documents: Path | None = parser.parse_args().documents
    table = Table("step", "CPU s", "times read + hash", "chunks embedded", "table versions")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        corpus = folder / "docs"
        if documents:
            shutil.copytree(documents, corpus)
        else:
            for copy in range(40):
                shutil.copytree(HANDBOOK, corpus / str(copy))
        walk = median(seconds(lambda: read_and_hash(corpus)) for _ in range(RUNS))
        table.add_row("read + hash every document", f"{walk:.3f}", "1.0", "", "")
        for step, cost, embedded, versions in measured(corpus, folder):
            table.add_row(step, f"{cost:.3f}", f"{cost / walk:.1f}", str(embedded), str(versions))
    Console().print(table)


def measured(corpus: Path, folder: Path) -> list[tuple[str, float, int, int]]:
    """Return the steps of an index' life: name, CPU seconds, chunks embedded, table versions."""
    source, embedder = FolderSource(corpus), TrivialEmbedder()
    first = min(corpus.rglob("*.md"))
    index = Index(folder / "index", "docs")

    def refresh() -> tuple[float, int]:
        began = time.process_time()
        plan = plan_refresh(source, index, embedder)
        done = apply_refresh(plan, index, embedder, run_id="benchmark")
        return time.process_time() - began, done.embedded

    def version() -> int:
        head = index.head()
        return head.version if head else 0

    rows = [("first build", *refresh(), version())]
    unchanged = [refresh() for _ in range(RUNS)]
    rows.append(
        ("nothing changed", median(cost for cost, _ in unchanged), unchanged[0][1], version())
    )
    words = []
    for number in range(RUNS):
        first.write_text(first.read_text() + f"\nAnd one more sentence, number {number}.\n")
        words.append(refresh())
    rows.append(("one sentence added", median(cost for cost, _ in words), words[0][1], version()))
    moves = []
    for number in range(RUNS):
        for path in sorted(corpus.rglob("*.md"))[:25]:
            path.rename(path.with_name(f"moved-{number}-{path.name}"[-60:]))
        moves.append(refresh())
    rows.append(("25 documents moved", median(cost for cost, _ in moves), moves[0][1], version()))
    return rows


def read_and_hash(folder: Path) -> None:
    """Do the least that finds every change without trusting a clock."""
    for path in folder.rglob("*"):
        if path.is_file():
            hashlib.sha256(path.read_bytes()).digest()


def seconds(work: Callable[[], None]) -> float:
    """Return the CPU seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
