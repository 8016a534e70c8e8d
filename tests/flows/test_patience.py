"""What fails for a reason that passes is tried again on the command line; nothing else is."""

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE
from rich.console import Console

from flows import patience
from flows.errors import BusyError
from flows.patience import TRIES, passes, patiently
from flows.showing.display import Display


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_FIRST_WAIT_SECONDS", 0.0)


def failing(times: int, error: Exception) -> Callable[[], int]:
    """Return work that raises so many times, and then returns how often it was tried."""
    tried = 0

    def work() -> int:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise error
        return tried

    return work


def test_the_last_of_five_tries_may_succeed():
    told: list[str] = []

    assert patiently(failing(TRIES - 1, TimeoutError()), on_retry=told.append) == TRIES
    assert told[-1] == f"TimeoutError, try {TRIES - 1} of {TRIES}"


def test_after_five_tries_the_error_is_raised_as_it_was():
    with pytest.raises(ConnectionRefusedError):
        patiently(
            failing(TRIES, ConnectionRefusedError(errno.ECONNREFUSED, "")), on_retry=lambda _: None
        )


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), id="full-disk"),
        pytest.param(OSError(errno.EROFS, "Read-only file system"), id="read-only-disk"),
        pytest.param(PermissionError(errno.EACCES, "denied"), id="no-permission"),
        pytest.param(BusyError("held"), id="ours"),
        pytest.param(ValueError("wrong"), id="a-mistake"),
    ],
)
def test_what_does_not_pass_is_tried_once(error: Exception):
    told: list[str] = []

    with pytest.raises(type(error)):
        patiently(failing(1, error), on_retry=told.append)

    assert told == []


def test_a_step_is_told_of_and_tried_again_only_where_it_touches_the_world(tmp_path: Path):
    with (tmp_path / "told").open("w+") as file:
        display = Display(Console(file=file, width=200))
        work = failing(1, TimeoutError())
        with pytest.raises(TimeoutError):
            display("Thinking", lambda _: work())

        again = failing(1, TimeoutError())
        tried = display("Writing", lambda _: again(), retries=2)

        file.seek(0)
        told = file.read()
    assert tried == 2
    assert "Writing: TimeoutError, try 1 of 5; trying again" in told


def test_a_full_sqlite_does_not_pass_and_a_locked_one_does(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "full.db", timeout=0)) as database:
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as full:
            database.execute("CREATE TABLE t (x)")
    with (
        closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as holder,
        closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as waiter,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as locked:
            waiter.execute("CREATE TABLE t (x)")

    assert (passes(full.value), passes(locked.value)) == (False, True)
    assert (passes(of_mlflow(full.value)), passes(of_mlflow(locked.value))) == (False, True)


def of_mlflow(error: sqlite3.Error) -> MlflowException:
    """Return what MLflow's store makes of an error of its database."""
    raised = MlflowException("told", error_code=TEMPORARILY_UNAVAILABLE)
    raised.__cause__ = sa.exc.OperationalError("INSERT", {}, error)
    return raised


def test_a_database_server_that_is_away_passes_and_another_answer_of_mlflow_does_not():
    away = MlflowException("told", error_code=TEMPORARILY_UNAVAILABLE)
    away.__cause__ = sa.exc.OperationalError("SELECT", {}, Exception("connection refused"))

    assert passes(away)
    assert not passes(MlflowException("no such run", error_code=RESOURCE_DOES_NOT_EXIST))
