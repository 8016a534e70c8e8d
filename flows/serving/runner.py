"""Performs flow runs, `python -m flows.serving.runner [FD]`: deploys, then works both pools.

Each flow run is a child process. Two work pools in one process instead of two: a worker that waits
weighs a hundred megabytes. Tells what it deployed as one line of JSON on the file descriptor FD;
without one it does not deploy.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.workers.process import ProcessWorker

from flows.errors import FlowError
from flows.serving.deploy import deploy
from flows.serving.orchestration import POOLS
from flows.settings.settings import load_settings

_FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Deploy and work until SIGTERM or SIGINT; return 0, or 1 after the reason was told."""
    if arguments:
        if not _deployed(int(arguments[0])):
            return _FAILED
        # To read the forms of the flows, torch was imported among others: 400 MB that the work has
        # no use for. This very process begins again without them.
        os.execv(sys.executable, [sys.executable, "-m", "flows.serving.runner"])  # noqa: S606 - this Python
    asyncio.run(_work())
    return 0


def _deployed(descriptor: int) -> bool:
    """Deploy, and tell what came of it."""
    try:
        done = deploy(load_settings(), datetime.now(UTC))
    except FlowError as error:
        _tell(descriptor, {"error": {"code": error.code, "message": str(error)}})
        return False
    _tell(descriptor, done.payload())
    return True


async def _work() -> None:
    """Serve every pool; when told to stop, end what runs: it is marked as crashed by itself."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    workers = [asyncio.create_task(_worker(pool).start(printer=_log)) for pool in POOLS]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([*workers, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (*workers, stopping):
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def _worker(pool: str) -> Any:
    return ProcessWorker(work_pool_name=pool, name=f"driftline up: {pool}")


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _tell(descriptor: int, said: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
