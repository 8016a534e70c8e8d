"""Leases as the journal stores them: who holds one, in which epoch. Looks at no clock."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from flows.errors import LostLeaseError
from flows.journal import tables


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write under a lease: valid as long as the lease's epoch is still this one."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as stored. `holder` is "" when free; `renewed` is seconds since 1970, UTC.

    `ticks` is the same moment by the holder's clock that nobody can set: seconds since its boot.
    """

    name: str
    epoch: int
    holder: str
    renewed: float
    ticks: float = 0.0


def stored(connection: sa.Connection, name: str) -> LeaseRow | None:
    """Return a lease, None if nobody ever took it."""
    leases = tables.leases
    row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
    return LeaseRow(row.name, row.epoch, row.holder, row.renewed, row.ticks) if row else None


def take(
    connection: sa.Connection,
    name: str,
    *,
    holder: str,
    now: float,
    ticks: float,
    expected: LeaseRow | None,
) -> Fence | None:
    """Write a new holder under the next epoch if the lease is still as expected."""
    if stored(connection, name) != expected:
        return None
    epoch = (expected.epoch if expected else 0) + 1
    values = {"name": name, "epoch": epoch, "holder": holder, "renewed": now, "ticks": ticks}
    connection.execute(sa.delete(tables.leases).where(tables.leases.c.name == name))
    connection.execute(tables.leases.insert().values(values))
    return Fence(name, epoch)


def renew(connection: sa.Connection, fence: Fence, *, now: float, ticks: float) -> bool:
    """Write down that the holder is alive; return False if the lease is somebody else's."""
    alive = sa.update(tables.leases).where(_mine(fence)).values(renewed=now, ticks=ticks)
    return bool(connection.execute(alive).rowcount)


def free(connection: sa.Connection, fence: Fence) -> None:
    """Take the holder away; the epoch stays."""
    connection.execute(sa.update(tables.leases).where(_mine(fence)).values(holder=""))


def check(connection: sa.Connection, fence: Fence) -> None:
    """Raise LostLeaseError unless the lease is held in the fence's epoch."""
    held = sa.select(tables.leases.c.epoch).where(
        tables.leases.c.name == fence.name, tables.leases.c.holder != ""
    )
    epoch = connection.scalar(held)
    if epoch != fence.epoch:
        msg = (
            f"This run lost its lease on {fence.name!r} (epoch {fence.epoch}, now {epoch}), so it "
            "published nothing. The run that holds it now does the work; nothing is to be done."
        )
        raise LostLeaseError(msg)


def _mine(fence: Fence) -> sa.ColumnElement[bool]:
    return (tables.leases.c.name == fence.name) & (tables.leases.c.epoch == fence.epoch)
