"""How a step of a run is performed: plainly with a progress line, or as a task of Prefect.

A run is written once, as plain functions that hand each step to a `Perform`. The command line
passes one that shows progress; `flows.serving.task_steps` has one that makes each step a task of
Prefect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

OnProgress = Callable[[int, int], None]
"""Called with (done, total), in whatever unit the work counts."""


class Perform(Protocol):
    """Performs one step. `retries` is for steps that touch the world: a disk, a server."""

    def __call__(self, title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
        """Do the work under that title and return what it returns; errors pass through."""


def quietly(title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
    """Perform a step with nothing around it: for tests and for callers with their own display.

    >>> quietly("add", lambda on_progress: 1 + 1)
    2
    """
    del title, retries
    return work(lambda _done, _total: None)
