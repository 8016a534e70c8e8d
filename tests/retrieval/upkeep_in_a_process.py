"""Tidies a table's folder over and over, until somebody kills it. Arguments: folder, versions."""

import sys
from datetime import timedelta
from pathlib import Path

import lancedb

from retrieval.table_upkeep import tidy
from tests.retrieval.tables import arrow, many


def main() -> None:
    folder, kept = Path(sys.argv[1]), [int(version) for version in sys.argv[2].split(",")]
    table = lancedb.connect(folder.parent).open_table(folder.stem)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    for seed in range(10_000):
        table.checkout_latest()
        table.add(arrow(many(3, seed=seed)))
        newest = table.list_versions()[-1]["timestamp"].astimezone()
        tidy(folder, kept, now=newest, grace=timedelta(0), from_fragments=2)


if __name__ == "__main__":
    main()
