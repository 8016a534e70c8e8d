"""Run by test_crash in a process of its own: apply a refresh and be killed at a chosen moment."""

import os
import signal
import sys
import threading
from pathlib import Path

from retrieval.refresh import apply_refresh, plan_refresh
from retrieval.sources.folder import FolderSource
from retrieval.store import Index
from tests.retrieval.builders import KB, HashingEmbedder


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(root: Path, moment: str) -> None:
    index = Index(root / "index", KB)
    embedder = HashingEmbedder()
    plan = plan_refresh(FolderSource(root / "source"), index, embedder)
    if moment == "while-embedding":
        apply_refresh(plan, index, embedder, run_id="run", on_progress=lambda *_: kill())
    elif moment == "before-syncing":
        index.settle = kill  # type: ignore[method-assign]
    else:
        threading.Timer(float(moment), kill).start()
    apply_refresh(plan, index, embedder, run_id="run")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
