"""A run around its work: what failed is told, what waits in the outbox is delivered after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType

from flows.desk import Desk, open_desk
from flows.full_disk import naming_a_full_disk
from flows.settings.settings import Settings
from flows.telling import entries as telling
from flows.telling.delivery import Couriers, deliver

FAILURE = "failure"
"""The kind of the entry that a run leaves which failed."""


@contextmanager
def on_duty(
    settings: Settings,
    name: str,
    *,
    couriers: Couriers,
    now: datetime | None = None,
    page: str = "",
) -> Iterator[Desk]:
    """Open a desk for a run that nobody watches, tell if it fails, and deliver what waits."""
    with (
        naming_a_full_disk(),
        open_desk(settings, name, now=now, page=page) as desk,
        delivering(desk, couriers),
        _Told(desk),
        naming_a_full_disk(),
    ):
        yield desk


@contextmanager
def delivering(desk: Desk, couriers: Couriers) -> Iterator[None]:
    """Deliver what waits in the outbox after the block, whatever it came to."""
    try:
        yield
    finally:
        clock = max(desk.now, datetime.now(UTC))  # a late run was due long ago
        deliver(desk.settings, desk.journal, couriers, now=clock)


class _Told:
    """Writes down what a block raised, and lets it through. Not what a person interrupted."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __enter__(self) -> None:
        """Wait for what comes."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write down an error with its errands; one that is told elsewhere is left alone."""
        if not isinstance(error, Exception):
            return
        errands = telling.of_failure(self._desk, error)
        if errands:
            code, reason = telling.failure_of(error)
            entry = {"code": code, "reason": reason}
            desk = self._desk
            desk.journal.append(desk.name, FAILURE, entry, time=desk.now, errands=errands)
