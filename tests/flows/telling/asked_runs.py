"""Runs that ask a Prefect server, each in a process forked from one that imported everything.

Reads lines of `WHAT FOLDER URL` from standard input and answers each with how its run ended.
`first` publishes a first release, `checks:10` checks ten times, `deliver` has a run with nothing to
do, `killed:NAME` is killed at a failpoint of a check, `killed:asked` after the server has answered.
`here:NAME` asks nobody; a retraining in this process adds a line to the file `retrained`, and is
killed there if the name is `killed`.
"""

import importlib
import os
import signal
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

import flows.desk
import flows.retrain
from flows.desk import Desk
from flows.failpoints import arm
from flows.monitor import monitor
from flows.records import Request, RetrainOutcome
from flows.refresh import refresh
from flows.settings.settings import load_settings
from flows.steps import quietly
from flows.telling.duty import on_duty
from flows.telling.prefect_couriers import ask, couriers
from tests.retrieval.builders import HashingEmbedder
from training.weighing import Verdict

# What a run opens on use: seconds each, which every run would pay again.
_OPENED_ON_USE = ("evidently", "mlflow", "retrieval.store", "training.models.loading")


def asked_and_killed(request: Request) -> str | None:
    """Ask, and be killed before the journal knows of the answer."""
    told = ask(request)
    arm("journal.committing")
    return told


def retraining_here(folder: Path, *, killed: bool) -> None:
    """Have a retraining in this process leave a trace instead of taking minutes."""

    def retrain(desk: Desk, *_: object, **__: object) -> RetrainOutcome:
        with (folder / "retrained").open("a", encoding="utf-8") as traces:
            traces.write(f"{desk.now}\n")
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)
        return RetrainOutcome(2, Verdict(promote=False, reason="no"), None, is_new=True)

    flows.retrain.retrain = retrain


def run(what: str, folder: Path) -> None:
    """Do what is said."""
    kind, _, more = what.partition(":")
    settings, now = load_settings(folder / "driftline.toml"), datetime.now(UTC)
    for number in range(int(more) if kind == "checks" else 1):
        at = now + timedelta(minutes=number)
        with on_duty(settings, "docs", couriers=couriers(), now=at) as desk:
            if kind == "first":
                refresh(desk, quietly)
            elif kind == "here":
                retraining_here(folder, killed=more == "killed")
                monitor(desk, quietly)
            elif kind != "deliver":
                if kind == "killed" and more != "asked":
                    arm(more)
                monitor(desk, quietly, ask=asked_and_killed if more == "asked" else ask)


def forked(what: str, folder: str, url: str) -> int:
    """Do it in a process of its own; return how that ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}):
                run(what, Path(folder))
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # LanceDB, which is not used here
    for name in _OPENED_ON_USE:
        importlib.import_module(name)
    flows.desk.open_embedder = lambda _: HashingEmbedder()  # type: ignore[attr-defined,assignment]
    for line in sys.stdin:
        print(forked(*line.split()), flush=True)  # noqa: T201 - its answer
