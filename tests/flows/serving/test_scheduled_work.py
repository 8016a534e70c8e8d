"""A scheduled run goes through its knowledge bases: one that fails does not stop the others."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.desk import Desk
from flows.errors import BusyError, SettingsError
from flows.serving.scheduled_work import for_each

pytestmark = pytest.mark.slow

NAMES = ("annals", "bees", "clocks")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> None:
    told = "".join(f'[kb.{name}.source]\npath = "docs"\n' for name in NAMES)
    (tmp_path / "driftline.toml").write_text(told)
    monkeypatch.chdir(tmp_path)


def went(first: State[Any] | Exception | None, **asked: Any) -> tuple[list[str], State[Any]]:
    """Return which were gone through where the first ends like that, and the run's state."""
    seen: list[str] = []

    def work(desk: Desk) -> State[Any] | None:
        seen.append(desk.name)
        if desk.name != NAMES[0]:
            return None
        if isinstance(first, Exception):
            raise first
        return first

    @flow(name="monitor")
    def scheduled() -> State[Any] | None:
        return for_each("", work, **asked)

    return seen, scheduled(return_state=True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(SettingsError("no such thing."), "no such thing.", id="foreseen"),
        pytest.param(ValueError("odd"), "ValueError: odd", id="unforeseen"),
        pytest.param(
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            "NoSpaceError: The disk is full",
            id="disk-full",
        ),
    ],
)
def test_what_stops_one_is_the_runs_end_and_not_the_others(error: Exception, said: str):
    seen, state = went(error)

    assert seen == [*NAMES]
    assert state.is_failed()
    assert said in str(state.message)


def test_what_may_wait_for_the_next_night_fails_nothing():
    seen, state = went(BusyError("held"), waiting=(BusyError,))

    assert seen == [*NAMES]
    assert state.is_completed()


def test_damage_in_one_fails_the_run_and_what_all_came_to_is_its_state():
    _, damaged = went(Failed(message="annals: 1 thing is damaged"))
    _, late = went(Completed(name="Superseded"))

    assert (damaged.is_failed(), damaged.message) == (True, "annals: 1 thing is damaged")
    assert late.name == "Completed"  # the others were checked
