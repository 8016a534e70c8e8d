"""What an unchanged folder of 100,000 files costs, as a ratio to walking it with `os.scandir`.

Run it with `make bench`. The plain walk asks for the same facts of every file (`stat`) and does
nothing with them. CPU seconds, medians of alternating runs.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from memory import TrivialEmbedder
from tables import add_markdown_option, show, verdict

from retrieval.drafting import plan_refresh
from retrieval.refresh import apply_refresh
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed
from retrieval.sources.folder import FolderSource
from retrieval.store import Index

FILES, FOLDERS, RUNS = 100_000, 1_000, 7
LIMIT = 1.6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    add_markdown_option(parser)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        fill(Path(made) / "docs", chosen.files)
        walks, checks = measured(Path(made))
    plain, ours = median(walks), median(checks)
    rows = [
        ("os.scandir and stat", f"{plain:.3f}", "1.00", "", ""),
        (
            "a refresh that finds nothing changed",
            f"{ours:.3f}",
            f"{ours / plain:.2f}",
            f"{LIMIT}",
            verdict(holds=ours <= LIMIT * plain),
        ),
    ]
    header = (f"{chosen.files:,} files", "CPU s", "times the walk", "limit", "")
    show("Nothing changed in a large folder", header, rows, chosen.markdown)


def measured(folder: Path) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of plain walks and of whole refreshes, one after the other."""
    source, embedder = FolderSource(folder / "docs"), TrivialEmbedder()
    index, cache = Index(folder / "index", "docs"), ScanCache(folder / "scan.db")

    def refresh() -> None:
        with plan_refresh((Feed(source),), index, embedder, cache=cache) as draft:
            apply_refresh(draft, index, embedder, run_id="benchmark", cache=cache)

    time.sleep(2.5)  # what changed just now is not trusted, and looked at again
    refresh()
    walks, checks = [], []
    for _ in range(RUNS):
        walks.append(seconds(lambda: walk(str(folder / "docs"))))
        checks.append(seconds(refresh))
    return walks, checks


def fill(root: Path, files: int) -> None:
    """Write small files into folders of a hundred."""
    root.mkdir()
    for number in range(files):
        folder = root / f"{number % FOLDERS:04}"
        if number < FOLDERS:
            folder.mkdir()
        (folder / f"page-{number:06}.md").write_bytes(b"# Page\n\nText.\n")


def walk(folder: str) -> int:
    """Ask for the facts of every file below a folder; return their count."""
    count = 0
    with os.scandir(folder) as items:
        for item in items:
            if item.is_dir(follow_symlinks=False):
                count += walk(item.path)
            else:
                item.stat(follow_symlinks=False)
                count += 1
    return count


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
