"""What happened: an append-only, hash-chained table, and the leases.

The journal is the truth about what answers. An entry is written in one transaction that also
checks the writer's fence, so a run that lost its lease can publish nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows import journal_tables as tables
from flows.errors import LostLeaseError, NewerJournalError, PromoteConflictError
from flows.release import Published, Release

FORMAT = 1
_PUBLICATION = "release"


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


@dataclass(frozen=True, slots=True)
class Line:
    """An entry yet to be written: beside a publication, in one transaction with it, or alone."""

    kind: str
    payload: dict[str, Any] = field(hash=False)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write under a lease: valid as long as the lease's epoch is still this one."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as stored. `holder` is "" when free; `renewed` is seconds since 1970, UTC."""

    name: str
    epoch: int
    holder: str
    renewed: float


class Journal:
    """The journal behind one database URL; created on first write, safe for several processes."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, connect_args=tables.connect_arguments(url))
        if self._engine.dialect.name == "sqlite":
            tables.prepare_sqlite(self._engine)
        with self._writing() as connection:
            tables.metadata.create_all(connection)
            version = connection.scalar(sa.select(tables.formats.c.version))
            if version is None:
                connection.execute(tables.formats.insert().values(version=FORMAT))
            elif version > FORMAT:
                msg = (
                    f"The journal has format {version}, this Driftline knows {FORMAT}. "
                    "Nothing was written; install the newer Driftline that wrote it."
                )
                raise NewerJournalError(msg)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def append(
        self,
        kb: str,
        kind: str,
        payload: dict[str, Any],
        *,
        time: datetime,
        key: str = "",
        fence: Fence | None = None,
    ) -> Entry:
        """Write one entry durably; raise LostLeaseError if the fence is no longer valid."""
        with self._writing() as connection:
            return _append(connection, kb, kind, payload, time=time, key=key, fence=fence)

    def publish(
        self,
        release: Release,
        *,
        kind: str,
        reason: str,
        time: datetime,
        fence: Fence,
        expected_version: int | None,
        beside: Sequence[Line] = (),
    ) -> Published:
        """Make a release the one that answers, if the champion is still the expected version.

        `expected_version` is the model version that serves now, None for a first release. The
        check and the write are one transaction: of two promotions one wins, the other is told.
        What is to be written `beside` the release is in that transaction too.
        """
        with self._writing() as connection:
            row = connection.execute(_select(release.kb, _PUBLICATION).limit(1)).first()
            serving = _published(_entry(row)).release if row else None
            found = serving.model_version if serving else None
            if found != expected_version:
                msg = (
                    f"Not published: the champion of {release.kb!r} is version {found}, "
                    f"not {expected_version} as when this work began. Run it again."
                )
                raise PromoteConflictError(msg)
            payload = {"kind": kind, "reason": reason, "release": asdict(release)}
            entry = _append(
                connection,
                release.kb,
                _PUBLICATION,
                payload,
                time=time,
                key=release.id,
                fence=fence,
            )
            for line in beside:
                _append(
                    connection,
                    release.kb,
                    line.kind,
                    line.payload,
                    time=time,
                    key=line.key,
                    fence=fence,
                )
        return _published(entry)

    def serving(self, kb: str) -> Published | None:
        """Return the publication that answers now."""
        entry = self.last(kb, _PUBLICATION)
        return _published(entry) if entry else None

    def published(self, kb: str, release_id: str) -> Published | None:
        """Return the newest publication of a release by its id or a prefix of at least 6 digits."""
        matching = [p for p in self.history(kb) if p.release.id.startswith(release_id)]
        return matching[-1] if matching else None

    def history(self, kb: str) -> tuple[Published, ...]:
        """Return every publication, newest last."""
        return tuple(_published(entry) for entry in self.entries(kb, _PUBLICATION))

    def entries(
        self, kb: str, kind: str, *, key: str | None = None, newest: int | None = None
    ) -> tuple[Entry, ...]:
        """Return the entries of one kind, or the `newest` so many of them, newest last."""
        with self._engine.connect() as connection:
            rows = connection.execute(_select(kb, kind, key).limit(newest)).all()
        return tuple(_entry(row) for row in reversed(rows))

    def last(self, kb: str, kind: str, *, key: str | None = None) -> Entry | None:
        """Return the newest entry of one kind, None if there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(_select(kb, kind, key).limit(1)).first()
        return _entry(row) if row else None

    def count(self, kb: str, kind: str, *, after: int = 0) -> int:
        """Return how many entries of one kind there are after a sequence number."""
        of_kind = (tables.entries.c.kb == kb) & (tables.entries.c.kind == kind)
        matching = sa.select(sa.func.count()).where(of_kind, tables.entries.c.sequence > after)
        with self._engine.connect() as connection:
            return int(connection.scalar(matching) or 0)

    def first_broken(self) -> int | None:
        """Return the sequence of the first entry that was changed or lost, None if all hold."""
        previous, expected = "", 1
        with self._engine.connect() as connection:
            for row in connection.execute(
                sa.select(tables.entries).order_by(tables.entries.c.sequence)
            ):
                # The raw row: an entry that was changed may no longer be readable as one.
                stored = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
                intact = (stored["sequence"], stored["previous"]) == (expected, previous)
                if not intact or stored["digest"] != _digest(stored):
                    return expected
                previous, expected = stored["digest"], expected + 1
        return None

    def lease(self, name: str) -> LeaseRow | None:
        """Return a lease as stored, None if nobody ever took it."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(tables.leases).where(tables.leases.c.name == name)
            ).first()
        return LeaseRow(*row) if row else None

    def take_lease(
        self, name: str, *, holder: str, now: float, expected: LeaseRow | None
    ) -> Fence | None:
        """Take a lease if it is still as expected; return None if somebody was quicker."""
        with self._writing() as connection:
            row = connection.execute(
                sa.select(tables.leases).where(tables.leases.c.name == name)
            ).first()
            if (LeaseRow(*row) if row else None) != expected:
                return None
            epoch = (expected.epoch if expected else 0) + 1
            values = {"name": name, "epoch": epoch, "holder": holder, "renewed": now}
            connection.execute(sa.delete(tables.leases).where(tables.leases.c.name == name))
            connection.execute(tables.leases.insert().values(values))
        return Fence(name, epoch)

    def renew_lease(self, fence: Fence, *, now: float) -> bool:
        """Say that the holder is alive; False if the lease is somebody else's by now."""
        with self._writing() as connection:
            mine = (tables.leases.c.name == fence.name) & (tables.leases.c.epoch == fence.epoch)
            result = connection.execute(sa.update(tables.leases).where(mine).values(renewed=now))
            return bool(result.rowcount)

    def free_lease(self, fence: Fence) -> None:
        """Give a lease back; the epoch stays, so that an old fence never becomes valid again."""
        with self._writing() as connection:
            mine = (tables.leases.c.name == fence.name) & (tables.leases.c.epoch == fence.epoch)
            connection.execute(sa.update(tables.leases).where(mine).values(holder=""))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One write transaction; on SQLite it takes the write lock at once, never later."""
        with self._engine.connect() as connection, connection.begin():
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


@contextmanager
def open_journal(url: str) -> Iterator[Journal]:
    """Yield the journal and let go of its database at the end."""
    folder = sa.make_url(url).database if url.startswith("sqlite") else None
    if folder:
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(url)
    try:
        yield journal
    finally:
        journal.close()


def _append(
    connection: sa.Connection,
    kb: str,
    kind: str,
    payload: dict[str, Any],
    *,
    time: datetime,
    key: str,
    fence: Fence | None,
) -> Entry:
    if fence is not None:
        _check(connection, fence)
    newest = sa.select(tables.entries.c.sequence, tables.entries.c.digest).order_by(
        tables.entries.c.sequence.desc()
    )
    sequence, previous = connection.execute(newest.limit(1)).first() or (0, "")
    row = {
        "sequence": sequence + 1,
        "time": time.astimezone(UTC).isoformat(timespec="seconds"),
        "kb": kb,
        "kind": kind,
        "key": key,
        "payload": json.dumps(payload, sort_keys=True, default=str),
        "previous": previous,
    }
    row["digest"] = _digest(row)
    connection.execute(tables.entries.insert().values(row))
    return _entry_of(row)


def _check(connection: sa.Connection, fence: Fence) -> None:
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


def _digest(row: dict[str, Any]) -> str:
    names = ("sequence", "time", "kb", "kind", "key", "payload", "previous")
    return hashlib.sha256(json.dumps([row[name] for name in names]).encode()).hexdigest()


def _select(kb: str, kind: str, key: str | None = None) -> sa.Select[Any]:
    query = sa.select(tables.entries).where(
        tables.entries.c.kb == kb, tables.entries.c.kind == kind
    )
    if key is not None:
        query = query.where(tables.entries.c.key == key)
    return query.order_by(tables.entries.c.sequence.desc())


def _entry(row: sa.Row[Any]) -> Entry:
    return _entry_of(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name


def _entry_of(row: dict[str, Any]) -> Entry:
    return Entry(
        **{
            **row,
            "time": datetime.fromisoformat(row["time"]),
            "payload": json.loads(row["payload"]),
        }
    )


def _published(entry: Entry) -> Published:
    release = Release(**entry.payload["release"])
    kind, reason = entry.payload["kind"], entry.payload["reason"]
    return Published(entry.sequence, entry.time, kind, reason, release)
