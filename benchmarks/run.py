"""Run every benchmark, one after the other; with --write, into docs/benchmarks.md.

Each prints a table of ratios or of limits, in one run: machines are noisy. Those that compare with
other systems want the archive of real releases (see corpora.py) and install the others in an
environment of their own; without either they are left out, and said to be.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
SCRIPTS = (
    "scan.py",
    "memory.py",
    "embedding.py",
    "search.py",
    "drift.py",
    "drift_cost.py",
    "replay.py",
    "training_speed.py",
    "recipes.py",
    "peer_refresh.py",
    "scale_out.py",
    "serving_memory.py",
)
_HEAD = """\
# Benchmarks

What the scripts of `make bench` printed on {machine}, {date}. Every figure stands beside
a peer or a limit measured in the same run; CPU seconds count all threads. What misses its limit
says so. The scripts are in `benchmarks/`; each says at its top what it measures and how.

"""


def main() -> None:
    """Run the scripts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", default=SCRIPTS, help="file names, by default all")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "tables.md"
        written.touch()
        failed = [script for script in chosen.scripts if not ran(script, written)]
        tables = written.read_text("utf-8")
    left_out = f"Not measured: {', '.join(failed)}.\n" if failed else ""
    if chosen.write:
        date = datetime.now(UTC).date().isoformat()
        page = _HEAD.format(machine=machine(), date=date) + tables + left_out
        PAGE.write_text(page.rstrip() + "\n", "utf-8")
    sys.exit(left_out or None)


def ran(script: str, tables: Path) -> bool:
    """Run one script, which appends its table; False if it could not."""
    print(f"\n{script}", flush=True)  # noqa: T201 a heading
    command = [sys.executable, str(HERE / script), "--markdown", str(tables)]
    return subprocess.run(command, check=False).returncode == 0


def machine() -> str:
    """Return the CPU's model, and how many of its cores there are."""
    described = Path("/proc/cpuinfo")
    text = described.read_text("utf-8") if described.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
