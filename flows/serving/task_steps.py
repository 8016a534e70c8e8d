"""Steps of a run as tasks of Prefect: retried where the world is, long work with its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect import Task, get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import PrefectException

from flows.errors import FlowError
from flows.steps import OnProgress
from retrieval.errors import RetrievalError
from training.errors import TrainingError

T = TypeVar("T")

OURS = (FlowError, RetrievalError, TrainingError)
"""What this program refuses, each with a code and a sentence; trying again changes nothing."""

# Work that is done sooner needs no progress bar; a bar that moves more often asks the server more.
_LONG_SECONDS = 5.0
_BETWEEN_SECONDS = 5.0


def as_task(title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
    """Perform one step as a task; faults of the world are retried, our own verdicts are not."""

    def step() -> T:
        progress = _Progress(title)
        result = work(progress.tell)
        progress.end()
        return result

    performed: Task[[], T] = Task(
        fn=step,
        name="step",
        task_run_name=title,
        retries=retries,
        retry_delay_seconds=[5, 30],
        retry_condition_fn=_is_a_fault,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return performed()


class _Progress:
    """How far one step is: each quarter in the log, and a progress artifact where it takes long."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._logger = get_run_logger()
        self._quarters = 0
        self._shown: UUID | None = None
        self._due = time.monotonic() + _LONG_SECONDS

    def tell(self, done: int, total: int) -> None:
        """Take note of (done, total), in whatever unit the work counts."""
        quarter = 4 * done // max(total, 1)
        if quarter > self._quarters:
            self._quarters = quarter
            self._logger.info("%s: %d of %d", self._title, done, total)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _BETWEEN_SECONDS
            self._show(min(100.0, 100.0 * done / max(total, 1)))

    def end(self) -> None:
        """Show a bar that was shown as full."""
        if self._shown is not None:
            self._show(100.0)

    def _show(self, percent: float) -> None:
        """Draw the bar; work goes on without it where the server does not answer."""
        try:
            if self._shown is None:
                made = create_progress_artifact(progress=percent, description=self._title)
                self._shown = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(artifact_id=self._shown, progress=percent)
        except (httpx.HTTPError, PrefectException) as error:
            self._logger.debug("No progress is shown: %s", error)


def _is_a_fault(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again can help: yes for the world, no for what we refuse."""
    return not isinstance(state.result(raise_on_failure=False), OURS)
