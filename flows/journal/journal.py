"""What happened: an append-only, hash-chained table, the leases, and what is still to be told.

The journal is the truth about what answers. An entry is written in one transaction that also
checks the writer's fence, so a run that lost its lease can publish nothing. The chain, the leases
and the outbox have a file each; this is the door to all three.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.errors import FlowError, PromoteConflictError
from flows.journal import chain, leases, outbox, tables
from flows.journal.chain import Chain, Entry
from flows.journal.database import Database
from flows.journal.formats import bring_up_to_date
from flows.journal.head import Head, note_head, read_head
from flows.journal.leases import Fence, LeaseRow
from flows.journal.outbox import DueErrand, Errand
from flows.journal.redaction import REDACTION, Rewrite, rewrite_payloads
from flows.journal.reserve import Reserve
from flows.release import Published, Release

__all__ = ["DueErrand", "Entry", "Errand", "Fence", "Journal", "LeaseRow", "Line", "open_journal"]

_PUBLICATION = "release"


@dataclass(frozen=True, slots=True)
class Line:
    """An entry yet to be written: beside a publication, in one transaction with it, or alone."""

    kind: str
    payload: dict[str, Any] = field(hash=False)
    key: str = ""


class Journal:
    """The journal behind one database URL; created on first use, safe for several processes.

    The newest entry is noted in the file `head` too; by default in one beside a SQLite database.
    Whatever reads or writes raises JournalUnavailableError where the database cannot be used.
    """

    def __init__(self, url: str, *, head: Path | None = None) -> None:
        self._database = Database(url)
        try:
            bring_up_to_date(self._database)
        except FlowError:
            self._database.close()
            raise
        file = self._database.file
        self._head = file.with_suffix(".head") if head is None and file is not None else head

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def append(
        self,
        kb: str,
        kind: str,
        payload: dict[str, Any],
        *,
        time: datetime,
        key: str = "",
        fence: Fence | None = None,
        errands: Sequence[Errand] = (),
    ) -> Entry:
        """Write one entry durably, and its errands with it, all or nothing.

        Raises LostLeaseError if the fence is no longer valid.
        """
        line = Line(kind, payload, key)
        with self._appending(fence) as connection:
            entry = _append(connection, kb, line, time)
            outbox.put(connection, kb, errands, time=time)
        return entry

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
        errands: Sequence[Errand] = (),
    ) -> Published:
        """Make a release the one that answers, if the champion is still the expected version.

        `expected_version` is the model version that serves now, None for a first release. The
        check and the write are one transaction: of two promotions one wins, the other is told.
        What is to be written `beside` the release is in that transaction too, with its errands.
        """
        payload = {"kind": kind, "reason": reason, "release": asdict(release)}
        with self._appending(fence) as connection:
            row = connection.execute(chain.select(release.kb, _PUBLICATION).limit(1)).first()
            serving = _published(chain.entry(row)).release if row else None
            found = serving.model_version if serving else None
            if found != expected_version:
                msg = (
                    f"Not published: the champion of {release.kb!r} is version {found}, "
                    f"not {expected_version} as when this work began. Run it again."
                )
                raise PromoteConflictError(msg)
            entry = _append(connection, release.kb, Line(_PUBLICATION, payload, release.id), time)
            for line in beside:
                _append(connection, release.kb, line, time)
            outbox.put(connection, release.kb, errands, time=time)
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
        with self._database.reading() as connection:
            rows = connection.execute(chain.select(kb, kind, key).limit(newest)).all()
        return tuple(chain.entry(row) for row in reversed(rows))

    def last(self, kb: str, kind: str, *, key: str | None = None) -> Entry | None:
        """Return the newest entry of one kind, None if there is none."""
        with self._database.reading() as connection:
            row = connection.execute(chain.select(kb, kind, key).limit(1)).first()
        return chain.entry(row) if row else None

    def count(self, kb: str, kind: str, *, after: int = 0) -> int:
        """Return how many entries of one kind there are after a sequence number."""
        of_kind = (tables.entries.c.kb == kb) & (tables.entries.c.kind == kind)
        matching = sa.select(sa.func.count()).where(of_kind, tables.entries.c.sequence > after)
        with self._database.reading() as connection:
            return int(connection.scalar(matching) or 0)

    def clock(self) -> float | None:
        """Return what time it is where the database runs, as seconds since 1970.

        None for SQLite, which has no clock but this machine's.
        """
        if self._database.file is not None:
            return None
        now = sa.select(sa.extract("epoch", sa.func.clock_timestamp()))
        with self._database.reading() as connection:
            return float(connection.scalar(now) or 0.0)

    def redact(
        self, kb: str, rewrite: Rewrite, *, actor: str, why: str, time: datetime, fence: Fence
    ) -> int:
        """Rewrite payloads of a knowledge base's entries, vouched for by an entry that says so.

        Errands that wait are rewritten with them. Returns how many entries were rewritten; raises
        LostLeaseError.
        """
        with self._appending(fence) as connection:
            outbox.rewrite_waiting(connection, kb, rewrite)
            changed = rewrite_payloads(connection, kb, rewrite, chain.digest_of)
            if changed:
                payload = {"entries": changed, "actor": actor, "why": why}
                _append(connection, kb, Line(REDACTION, payload), time)
        return len(changed)

    def verify(self, known: Head | None = None) -> Chain:
        """Read the whole chain, and return what it is and the first entry that is not right.

        It is compared with the entry that was noted outside of the database, and with a `known`
        one that a person noted.
        """
        # Before the chain is read: what is written meanwhile comes after it.
        noted = read_head(self._head) if self._head is not None else None
        newest = max((head for head in (noted, known) if head), key=_sequence, default=None)
        with self._database.reading(whole=True) as connection:
            found = chain.verify(connection, newest)
            if found.fault is None and known is not None and known != newest:
                found = chain.verify(connection, known)
        return found

    def first_broken(self) -> int | None:
        """Return the sequence of the first entry that was changed or lost, None if all hold.

        An entry that was rewritten holds if it is what a later `redaction` entry says.
        """
        fault = self.verify().fault
        return fault.sequence if fault else None

    def rows(self) -> tuple[dict[str, Any], ...]:
        """Return every row of the chain as stored, in order, for what checks it elsewhere."""
        with self._database.reading() as connection:
            return tuple(chain.raw_rows(connection))

    def due(self, kinds: Collection[str], now: datetime) -> tuple[DueErrand, ...]:
        """Return the errands of these kinds that are to be tried now, the oldest first."""
        with self._database.reading() as connection:
            return outbox.waiting(connection, kinds=kinds, now=now)

    def waiting(self) -> tuple[DueErrand, ...]:
        """Return every errand that is not done, due or not, the oldest first."""
        with self._database.reading() as connection:
            return outbox.waiting(connection)

    def settle(self, errand: Errand, now: datetime) -> None:
        """Write down that an errand is done; it never becomes due again."""
        with self._database.writing() as connection:
            outbox.settle(connection, errand, now=now)

    def postpone(self, errand: Errand, until: datetime, why: str) -> None:
        """Write down that an attempt failed, why, and when the next one is due."""
        with self._database.writing() as connection:
            outbox.postpone(connection, errand, until=until, why=why)

    def lease(self, name: str) -> LeaseRow | None:
        """Return a lease as stored, None if nobody ever took it."""
        with self._database.reading() as connection:
            return leases.stored(connection, name)

    def take_lease(
        self, name: str, *, holder: str, now: float, expected: LeaseRow | None, ticks: float = 0.0
    ) -> Fence | None:
        """Take a lease if it is still as expected; return None if somebody was quicker."""
        with self._database.writing() as connection:
            return leases.take(
                connection, name, holder=holder, now=now, ticks=ticks, expected=expected
            )

    def renew_lease(self, fence: Fence, *, now: float, ticks: float = 0.0) -> bool:
        """Say that the holder is alive; False if the lease is somebody else's by now."""
        with self._database.writing() as connection:
            return leases.renew(connection, fence, now=now, ticks=ticks)

    def free_lease(self, fence: Fence) -> None:
        """Give a lease back; the epoch stays, so that an old fence never becomes valid again."""
        with self._database.writing() as connection:
            leases.free(connection, fence)

    def set_room_aside(self) -> bool:
        """Keep room on the disk for a journal that is a file; return whether all of it is kept."""
        file = self._database.file
        return file is None or self._database.is_copy or Reserve.beside(file).set_aside()

    @contextmanager
    def _appending(self, fence: Fence | None) -> Iterator[sa.Connection]:
        """One write transaction under a lease; what it made the newest entry is noted after it."""
        with self._database.writing() as connection:
            if fence is not None:
                leases.check(connection, fence)
            noted = read_head(self._head) if self._head is not None else None
            follows = noted is None or chain.holds(connection, noted)
            yield connection
            newest = chain.head(connection)
        # A note that the chain does not hold shows that its end was cut off: it stays.
        if self._head is not None and newest is not None and follows:
            note_head(self._head, newest)


@contextmanager
def open_journal(url: str, *, head: Path | None = None) -> Iterator[Journal]:
    """Yield the journal and let go of its database at the end."""
    journal = Journal(url, head=head)
    try:
        yield journal
    finally:
        journal.close()


def _append(connection: sa.Connection, kb: str, line: Line, time: datetime) -> Entry:
    return chain.append(connection, kb, line.kind, line.payload, time=time, key=line.key)


def _sequence(head: Head) -> int:
    return head.sequence


def _published(entry: Entry) -> Published:
    release = Release(**entry.payload["release"])
    kind, reason = entry.payload["kind"], entry.payload["reason"]
    return Published(entry.sequence, entry.time, kind, reason, release)
