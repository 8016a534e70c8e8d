"""The chain of entries: each holds the digest of the one before, so a change shows. No clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from flows.journal import tables
from flows.journal.head import Head
from flows.journal.redaction import vouched

_AT_ONCE = 1_000  # rows held while the chain is read
HASHED = ("sequence", "time", "kb", "kind", "key", "payload", "previous")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal. `key` makes an entry findable by what it is about."""

    sequence: int
    time: datetime
    kb: str
    kind: str
    key: str
    payload: dict[str, Any] = field(hash=False)
    previous: str
    digest: str


class Damage(StrEnum):
    """What is wrong with an entry."""

    CHANGED = "changed"  # it does not have the digest that it was written with
    MISSING = "missing"  # it is not there, others after it are
    REORDERED = "reordered"  # another entry of the journal stands in its place
    UNLINKED = "unlinked"  # it, or the one before it, was written anew with a digest of its own
    TRUNCATED = "truncated"  # it was there once; the journal ends before it


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not as it was written, by its number, counted from 1."""

    sequence: int
    damage: Damage


@dataclass(frozen=True, slots=True)
class Chain:
    """What a look at the whole chain found.

    `redacted` counts the entries that an erasure rewrote and a later entry vouches for; `known` is
    the newest entry that was noted outside of the database, None if none was.
    """

    entries: int
    head: Head | None
    redacted: int
    known: Head | None
    fault: Fault | None


def append(
    connection: sa.Connection,
    kb: str,
    kind: str,
    payload: dict[str, Any],
    *,
    time: datetime,
    key: str,
) -> Entry:
    """Write an entry after the newest one; the caller holds the journal's one write lock."""
    newest = head(connection) or Head(0, "")
    row = {
        "sequence": newest.sequence + 1,
        "time": time.astimezone(UTC).isoformat(timespec="seconds"),
        "kb": kb,
        "kind": kind,
        "key": key,
        "payload": json.dumps(payload, sort_keys=True, default=str),
        "previous": newest.digest,
    }
    row["digest"] = digest_of(row)
    connection.execute(tables.entries.insert().values(row))
    return _entry_of(row)


def head(connection: sa.Connection) -> Head | None:
    """Return the newest entry by number and digest, None if there is none."""
    columns = sa.select(tables.entries.c.sequence, tables.entries.c.digest)
    row = connection.execute(columns.order_by(tables.entries.c.sequence.desc()).limit(1)).first()
    return Head(*row) if row else None


def holds(connection: sa.Connection, known: Head) -> bool:
    """Return whether an entry is there, with the digest that was noted."""
    at = sa.select(tables.entries.c.digest).where(tables.entries.c.sequence == known.sequence)
    return connection.scalar(at) == known.digest


def digest_of(row: dict[str, Any]) -> str:
    """Return the digest of a stored row: of all its values but its own, in a fixed order."""
    return hashlib.sha256(json.dumps([row[name] for name in HASHED]).encode()).hexdigest()


def select(kb: str, kind: str, key: str | None = None) -> sa.Select[Any]:
    """Return the query for the entries of one kind, the newest first."""
    query = sa.select(tables.entries).where(
        tables.entries.c.kb == kb, tables.entries.c.kind == kind
    )
    if key is not None:
        query = query.where(tables.entries.c.key == key)
    return query.order_by(tables.entries.c.sequence.desc())


def entry(row: sa.Row[Any]) -> Entry:
    """Return a stored row as an entry."""
    return _entry_of(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name


def raw_rows(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    """Yield every row as stored: one that was changed may no longer be readable as an entry."""
    query = sa.select(tables.entries).order_by(tables.entries.c.sequence)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def verify(connection: sa.Connection, known: Head | None) -> Chain:
    """Read the whole chain, and compare it with an entry that was noted elsewhere."""
    rewritten = _vouched(connection)
    before, redacted, fault = Head(0, ""), 0, None
    for row in raw_rows(connection):
        told = row["digest"], digest_of(row)
        excused = told[0] != told[1] and rewritten.get(row["sequence"]) == told
        fault = _fault(connection, row, before, intact=excused or told[0] == told[1])
        if fault is None and known is not None and known.sequence == row["sequence"]:
            unlike = known.digest != row["digest"]
            fault = Fault(row["sequence"], Damage.UNLINKED) if unlike else None
        if fault is not None:
            break
        redacted += excused
        before = Head(row["sequence"], row["digest"])
    if fault is None and known is not None and known.sequence > before.sequence:
        fault = Fault(before.sequence + 1, Damage.TRUNCATED)
    return Chain(before.sequence, before if before.sequence else None, redacted, known, fault)


def _vouched(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    try:
        return vouched(connection)
    except (ValueError, KeyError, TypeError):
        return {}  # a damaged entry vouches for nothing, and is found by its digest


def _fault(
    connection: sa.Connection, row: dict[str, Any], before: Head, *, intact: bool
) -> Fault | None:
    """Return what is wrong with a row that should follow `before`, None if it does."""
    expected = before.sequence + 1
    if row["sequence"] != expected:
        return Fault(expected, Damage.MISSING)
    if not intact:
        moved = _moved_away(connection, before)
        return Fault(expected, Damage.REORDERED if moved else Damage.CHANGED)
    if row["previous"] != before.digest:
        return Fault(expected, Damage.UNLINKED)
    return None


def _moved_away(connection: sa.Connection, before: Head) -> bool:
    """Return whether the entry that should follow stands whole under another number."""
    followers = sa.select(tables.entries).where(tables.entries.c.previous == before.digest)
    for row in connection.execute(
        followers.where(tables.entries.c.sequence != before.sequence + 1)
    ):
        stored = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        if digest_of({**stored, "sequence": before.sequence + 1}) == stored["digest"]:
            return True
    return False


def _entry_of(row: dict[str, Any]) -> Entry:
    return Entry(
        **{
            **row,
            "time": datetime.fromisoformat(row["time"]),
            "payload": json.loads(row["payload"]),
        }
    )
