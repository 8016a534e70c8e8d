"""What a person sees in the terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from flows.patience import patiently
from flows.steps import OnProgress

T = TypeVar("T")

# Quicker steps pass without a line of their own.
_WORTH_TELLING_SECONDS = 2.0


class Display:
    """Performs steps with a progress line each; `tty` animates, anything else gets plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    def __call__(self, title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
        """Do the work under that title; where it touches the world, again if what failed passes."""
        show = self._animated if self.console.is_terminal else self._plain
        started = time.monotonic()
        if retries:
            result = patiently(
                lambda: show(title, work), on_retry=lambda why: self._tell(title, why)
            )
        else:
            result = show(title, work)
        seconds = time.monotonic() - started
        if seconds >= _WORTH_TELLING_SECONDS:
            self.console.print(f"  {title}: {seconds:.0f} s", markup=False)
        return result

    def _tell(self, title: str, why: str) -> None:
        self.console.print(f"  {title}: {why}; trying again", markup=False)

    def _animated(self, title: str, work: Callable[[OnProgress], T]) -> T:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(title, total=None)
            return work(lambda done, total: progress.update(task, completed=done, total=total))

    def _plain(self, title: str, work: Callable[[OnProgress], T]) -> T:
        """Say a line at every tenth, once the work takes long enough to be worth a line."""
        started, told = time.monotonic(), 0

        def tell(done: int, total: int) -> None:
            nonlocal told
            tenth = 10 * done // max(total, 1)
            if tenth > told and time.monotonic() - started >= _WORTH_TELLING_SECONDS:
                told = tenth
                self.console.print(f"  {title}: {done} of {total}", markup=False)

        return work(tell)


def emit(payload: dict[str, Any] | list[Any], shown: RenderableType, *, as_json: bool) -> None:
    """Print one JSON object for scripts, or the table for people."""
    if as_json:
        click.echo(json.dumps(payload, default=str))
    elif isinstance(shown, str):
        click.echo(shown)  # as it is: a wrapped address cannot be clicked
    else:
        Console(highlight=False).print(shown)
