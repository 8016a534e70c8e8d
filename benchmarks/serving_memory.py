"""What `driftline up` weighs at rest: every process of it, and their sum against 800 MB.

    python benchmarks/serving_memory.py [--rest SECONDS] [--markdown FILE]

Starts it on our handbook, runs a check, lets it rest, and exits 1 if the sum is over the limit.
"""

from __future__ import annotations

import argparse
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
from tables import add_markdown_option, show, verdict

LIMIT_BYTES = 800e6
HANDBOOK = Path(__file__).parents[1] / "examples" / "handbook" / "v1"
_REST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Weight:
    """A process in bytes: `resident` counts shared pages in each process, `proportional` once."""

    name: str
    resident: int
    proportional: int


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rest", type=float, default=_REST_SECONDS, metavar="SECONDS")
    add_markdown_option(parser)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as process:
        _check(Path(folder))
        time.sleep(chosen.rest)
        weights = [_weight(each) for each in _tree(process.pid)]
    resident = sum(each.resident for each in weights)
    proportional = sum(each.proportional for each in weights)
    holds = resident <= LIMIT_BYTES
    limit = f"{LIMIT_BYTES / 1e6:.0f}"
    rows = [(*_megabytes(each), "", "") for each in weights]
    whole = (*_megabytes(Weight("all", resident, proportional)), limit, verdict(holds=holds))
    header = ("process", "resident, MB", "shared pages once, MB", "limit, MB", "")
    show("`driftline up`, at rest", header, [*rows, whole], chosen.markdown)
    return int(not holds)


def _megabytes(weight: Weight) -> tuple[str, str, str]:
    return weight.name, f"{weight.resident / 1e6:.0f}", f"{weight.proportional / 1e6:.0f}"


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
    sys.exit(main())
