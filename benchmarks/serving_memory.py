"""What `driftline up` weighs at rest: every process of it, and their sum against 800 MB.

`python benchmarks/serving_memory.py [SECONDS]` starts it on our handbook, runs a check, waits
until it has been at rest for SECONDS (60), and exits 1 if the sum is over the limit.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

LIMIT_BYTES = 800e6
HANDBOOK = Path(__file__).parents[1] / "examples" / "handbook" / "v1"
_REST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Weight:
    """A process in bytes: `resident` counts shared pages in each process, `proportional` once."""

    name: str
    resident: int
    proportional: int


def main(seconds: float) -> int:
    """Measure, print, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as process:
        _check(Path(folder))
        time.sleep(seconds)
        weights = [_weight(each) for each in _tree(process.pid)]
    resident = sum(each.resident for each in weights)
    proportional = sum(each.proportional for each in weights)
    table = Table("process", "resident, MB", "proportional, MB", title="driftline up, at rest")
    for each in (*weights, Weight("all", resident, proportional)):
        table.add_row(each.name, f"{each.resident / 1e6:.0f}", f"{each.proportional / 1e6:.0f}")
    console = Console()
    console.print(table)
    console.print(f"{resident / 1e6:.0f} MB resident; the limit is {LIMIT_BYTES / 1e6:.0f} MB")
    return int(resident > LIMIT_BYTES)


@contextmanager
def _serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    shutil.copytree(HANDBOOK, folder / "docs")
    ports = f"prefect_port = {_free_port()}\nmlflow_port = {_free_port()}\n"
    settings = f'[servers]\n{ports}[kb.docs.source]\npath = "docs"\n'
    (folder / "driftline.toml").write_text(settings, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "up", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or "prefect" not in json.loads(process.stdout.readline()):
            msg = "driftline up was not ready"
            raise RuntimeError(msg)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _check(folder: Path) -> None:
    """Have MLflow and the journal hold something, as after the first hour."""
    subprocess.run(
        [sys.executable, "-m", "flows.cli", "monitor", "docs"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _tree(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _weight(process: psutil.Process) -> Weight:
    memory = process.memory_full_info()
    # Where the kernel does not tell (macOS), what is its own alone is the best there is.
    return Weight(_name(process), memory.rss, getattr(memory, "pss", memory.uss))


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    return words[words.index("-m") + 1] if "-m" in words else "the watchdog"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else _REST_SECONDS))
