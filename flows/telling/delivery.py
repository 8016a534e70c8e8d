"""Delivers what waits in the journal's outbox, at least once, and never fails a run for it.

An errand is written with the entry that it is about; this is done after it, by whichever run comes
next. What a service does not take is tried again later, for as long as it is of use to anybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.errors import BusyError, UndeliveredError
from flows.journal import lease
from flows.journal.journal import Journal
from flows.journal.outbox import DueErrand, Errand
from flows.records import Request
from flows.settings.settings import Settings
from flows.telling.entries import EVENT, NOTIFICATION, RETRAIN, retraining
from flows.telling.events import Event
from flows.telling.mailing import Send, notify
from flows.telling.messenger import send
from flows.telling.timing import Delivered, next_try

Ask = Callable[[Request], str | None]
"""Asks for a retraining elsewhere and returns what was started; None if nobody is there to ask.

Asked again under the same key it starts nothing new. Raises UndeliveredError.
"""
Emit = Callable[[Event], None]
"""Hands over an event. Raises UndeliveredError."""

# As long as a Prefect server keeps events by default (PREFECT_SERVER_EVENTS_RETENTION_PERIOD).
EVENT_LIFE = timedelta(days=7)
_NAME = ":outbox"  # no knowledge base is called that
_PATIENCE_SECONDS = 15.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Couriers:
    """Who takes what: without a Prefect server nobody takes requests and events."""

    ask: Ask | None = None
    emit: Emit | None = None
    send: Send = send


def deliver(
    settings: Settings, journal: Journal, couriers: Couriers, *, now: datetime
) -> Delivered:
    """Deliver what is due for every knowledge base of the journal.

    One process delivers at a time; where another one does, its round is enough.
    """
    if not _takes_any(couriers, journal.waiting(), now):
        return Delivered()
    with suppress(BusyError), lease.hold(journal, _NAME, patience_seconds=_PATIENCE_SECONDS):
        asked = _ask(journal, couriers.ask, now)
        emitted = _emit(journal, couriers.emit, now)
        return asked + emitted + notify(settings, journal, couriers.send, now)
    return Delivered()


def waiting_request(journal: Journal, kb: str, *, champion: int, now: datetime) -> Request | None:
    """Return the retraining that is due to be asked for; what it outdates is settled.

    That is every older one, and one of another champion than the version that answers now.
    """
    waiting = [each for each in journal.waiting() if (each.kind, each.kb) == (RETRAIN, kb)]
    if not waiting:
        return None
    request = Request(**waiting[-1].payload)
    outdated = waiting if request.champion != champion else waiting[:-1]
    for each in outdated:
        journal.settle(each, now)
    return request if waiting[-1] not in outdated and waiting[-1].until <= now else None


def _takes_any(couriers: Couriers, waiting: Sequence[DueErrand], now: datetime) -> bool:
    """Return whether any errand that is due can go anywhere; most runs have none, and no lease."""
    taken = {NOTIFICATION}
    taken |= {RETRAIN} if couriers.ask else set()
    taken |= {EVENT} if couriers.emit else set()
    return any(
        each.until <= now and (each.kind in taken or now - each.time > EVENT_LIFE)
        for each in waiting
    )


def _ask(journal: Journal, ask: Ask | None, now: datetime) -> Delivered:
    if ask is None:
        return Delivered()
    done = Delivered()
    for kb in sorted({each.kb for each in journal.due((RETRAIN,), now)}):
        serving = journal.serving(kb)
        champion = serving.release.model_version if serving else 0
        request = waiting_request(journal, kb, champion=champion, now=now)
        if request is not None:
            asked = ask_for(journal, ask, request, now)
            done += Delivered(sent=asked.started is not None, refused=asked.waits)
    return done


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking came to: what was `started`, or that it `waits` for a server, or neither.

    Neither is: there is no server to ask, so whoever can do it here does.
    """

    started: str | None
    waits: bool


def ask_for(journal: Journal, ask: Ask, request: Request, now: datetime) -> Asked:
    """Ask for a retraining; its errand is settled if it was started, postponed if it must wait."""
    errand = retraining(request)
    try:
        started = ask(request)
    except UndeliveredError as error:
        _log.warning("The retraining of %s waits in the outbox: %s", request.kb, error)
        put_off(journal, errand, str(error), now)
        return Asked(None, waits=True)
    if started is not None:
        journal.settle(errand, now)
    return Asked(started, waits=False)


def put_off(journal: Journal, errand: Errand, why: str, now: datetime) -> None:
    """Leave an errand for later: twice as long each time, up to a day."""
    for waiting in journal.waiting():
        if (waiting.kind, waiting.key) == (errand.kind, errand.key):
            until = next_try(errand.key, waiting.attempts + 1, now)
            journal.postpone(errand, until, why)


def _emit(journal: Journal, emit: Emit | None, now: datetime) -> Delivered:
    """Hand over events in their order; where the server is away the others wait for it too."""
    done = Delivered()
    for waiting in journal.due((EVENT,), now):
        if now - waiting.time > EVENT_LIFE:
            _log.warning("Event %s of %s was never taken, and is let go.", waiting.key, waiting.kb)
            journal.settle(waiting, now)
        elif emit is not None:
            try:
                emit(Event.read(waiting.key, waiting.payload))
            except UndeliveredError as error:
                _log.warning("Events of %s wait in the outbox: %s", waiting.kb, error)
                put_off(journal, waiting, str(error), now)
                return done + Delivered(refused=1)
            journal.settle(waiting, now)
            done += Delivered(sent=1)
    return done
