"""What is still to be told or asked for: errands, written with the entry that they are about.

Storage alone; what delivers them is elsewhere. An errand of a kind and a key is taken in once and
for ever: the second of the same name is dropped, also after the first was settled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from flows.journal import tables


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to be done outside the journal: of a `kind`, under a `key` that names it once.

    Kinds are "retrain", "event" and "notification". Kind and key are unique in the whole journal:
    a key about a knowledge base names it.
    """

    kind: str
    key: str
    payload: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class DueErrand(Errand):
    """An errand that waits: since `time`, not before `until`, after so many failed attempts.

    `why` says what the last attempt met, "" before the first.
    """

    kb: str
    time: datetime
    attempts: int
    until: datetime
    why: str


def put(connection: sa.Connection, kb: str, errands: Sequence[Errand], *, time: datetime) -> None:
    """Write errands that are not there yet; the caller holds the journal's one write lock."""
    outbox = tables.outbox
    for errand in errands:
        known = sa.select(outbox.c.number).where(_is(errand))
        if connection.scalar(known) is not None:
            continue
        row = {
            "kind": errand.kind,
            "key": errand.key,
            "kb": kb,
            "payload": json.dumps(errand.payload, sort_keys=True, default=str),
            "time": _written(time),
            "until": _written(time),
            "attempts": 0,
            "why": "",
            "settled": None,
        }
        connection.execute(outbox.insert().values(row))


def waiting(
    connection: sa.Connection,
    *,
    kinds: Collection[str] | None = None,
    now: datetime | None = None,
) -> tuple[DueErrand, ...]:
    """Return what waits, the oldest first: of some kinds, or due by now, or all of it."""
    outbox = tables.outbox
    query = sa.select(outbox).where(outbox.c.settled.is_(None))
    if kinds is not None:
        query = query.where(outbox.c.kind.in_(kinds))
    if now is not None:
        query = query.where(outbox.c.until <= _written(now))
    return tuple(map(_due, connection.execute(query.order_by(outbox.c.number))))


def settle(connection: sa.Connection, errand: Errand, *, now: datetime) -> None:
    """Write down that an errand is done; its name stays, what it said goes."""
    # Whatever it was about stands in the journal's entries; twice the text is twice to erase.
    done = {"settled": _written(now), "payload": "{}", "why": ""}
    waits = _is(errand) & tables.outbox.c.settled.is_(None)
    connection.execute(sa.update(tables.outbox).where(waits).values(done))


def postpone(connection: sa.Connection, errand: Errand, *, until: datetime, why: str) -> None:
    """Write down a failed attempt: when to try again, and what this one met."""
    attempts = tables.outbox.c.attempts + 1
    waits = _is(errand) & tables.outbox.c.settled.is_(None)
    values = {"until": _written(until), "why": why, "attempts": attempts}
    connection.execute(sa.update(tables.outbox).where(waits).values(values))


def rewrite_waiting(
    connection: sa.Connection,
    kb: str,
    rewrite: Callable[[str, dict[str, Any]], dict[str, Any]],
) -> None:
    """Rewrite what the errands of a knowledge base say that were not settled."""
    for errand in waiting(connection):
        said = {"payload": errand.payload, "why": errand.why}
        if errand.kb != kb or (left := rewrite(errand.kind, said)) == said:
            continue
        payload = json.dumps(left["payload"], sort_keys=True, default=str)
        values = {"payload": payload, "why": left["why"]}
        connection.execute(sa.update(tables.outbox).where(_is(errand)).values(values))


def _is(errand: Errand) -> sa.ColumnElement[bool]:
    return (tables.outbox.c.kind == errand.kind) & (tables.outbox.c.key == errand.key)


def _written(time: datetime) -> str:
    """Return a time as text that sorts as the times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _due(row: sa.Row[Any]) -> DueErrand:
    return DueErrand(
        row.kind,
        row.key,
        json.loads(row.payload),
        kb=row.kb,
        time=datetime.fromisoformat(row.time),
        attempts=row.attempts,
        until=datetime.fromisoformat(row.until),
        why=row.why,
    )
