"""What measuring drift costs, as a ratio to reading the documents, and what it says.

Run it with `make bench`. By default on the handbook's three versions; `--corpus FOLDER` takes a
folder of versions of one corpus, each a folder, and compares each with the next. CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from monitors.drift import measure_drift
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource

HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=HANDBOOK)
    corpus: Path = parser.parse_args().corpus
    versions = sorted(
        (path for path in corpus.iterdir() if path.is_dir()),
        key=lambda path: [int(part) for part in path.name.strip("v").split(".")],
    )
    signals = ("unseen shingles", "changed chunks", "removed chunks")
    table = Table("from", "to", *signals, "read, CPU s", "drift, CPU s", "drift / read")
    for old, new in pairwise(versions):
        began = time.process_time()
        before, after = (read_chunk_table(FolderSource(path))[0] for path in (old, new))
        read = time.process_time() - began
        report = measure_drift(before, after, reference_name=old.name, current_name=new.name)
        cost = time.process_time() - began - read
        scores = [f"{signal.score:.3f}" for signal in report.signals if signal.score is not None]
        costs = (f"{read:.2f}", f"{cost:.2f}", f"{cost / read:.2f}")
        table.add_row(old.name, new.name, *scores, *costs)
    Console().print(table)


if __name__ == "__main__":
    main()
