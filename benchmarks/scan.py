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

from rich.console import Console
from rich.table import Table

from retrieval.sources.folder import FolderSource

FILES, FOLDERS, RUNS = 100_000, 1_000, 7
LIMIT = 1.6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    files: int = parser.parse_args().files
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        fill(root, files)
        time.sleep(2.5)  # what changed just now is not trusted, and looked at again
        source = FolderSource(root)
        walks, checks = [], []
        for _ in range(RUNS):
            walks.append(seconds(lambda: walk(made)))
            checks.append(seconds(source.fingerprint))
    plain, ours = median(walks), median(checks)
    table = Table(f"{files:,} unchanged files", "CPU s", "times the walk", "limit")
    table.add_row("os.scandir and stat", f"{plain:.3f}", "1.00", "")
    table.add_row("fingerprint of the folder", f"{ours:.3f}", f"{ours / plain:.2f}", f"{LIMIT}")
    Console().print(table)


def fill(root: Path, files: int) -> None:
    """Write small files into folders of a hundred."""
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
