"""Which notices go out now, in which letters, and what becomes of those that were not taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.errors import SettingsError, UndeliveredError
from flows.journal.journal import Journal
from flows.journal.outbox import DueErrand
from flows.settings.notification import Addressee
from flows.settings.settings import Settings
from flows.telling.entries import NOTIFICATION
from flows.telling.letters import Letter, Receipt
from flows.telling.notices import Message, Notice, digest_of, message_of
from flows.telling.timing import Delivered, next_try

Send = Callable[[Sequence[Letter]], tuple[Receipt, ...]]
"""Sends the letters of one target and returns a receipt for each."""

NOTICE_LIFE = timedelta(days=30)
# More than this for one target at once, after an outage for instance, come as one message.
SINGLY = 5
# Of one message; it has no room for more, and the next round has.
_TOGETHER = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Posting:
    """One message to one target, and the errands that are done when it is taken."""

    addressee: Addressee
    message: Message
    errands: tuple[DueErrand, ...]


def notify(settings: Settings, journal: Journal, send: Send, now: datetime) -> Delivered:
    """Send what is due to each target; settle what was taken, postpone the rest."""
    due = [each for each in journal.due((NOTIFICATION,), now) if not _let_go(journal, each, now)]
    done = Delivered()
    for name in dict.fromkeys(each.payload["target"] for each in due):
        addressee = settings.notify.addressee(name)
        own = [each for each in due if each.payload["target"] == name]
        if addressee is None:
            _log.warning("Nobody is told %d notices: target %r is not in [notify].", len(own), name)
            for each in own:
                journal.settle(each, now)
            continue
        ready = [each for each in own if addressee.held_until(each.time, now) is None]
        done += Delivered(held=len(own) - len(ready))
        # A target at a time: a service that brings the process down takes no other with it.
        done += _sent(settings, journal, send, posted(addressee, ready), now)
    return done


def posted(addressee: Addressee, ready: Sequence[DueErrand]) -> list[Posting]:
    """Return the messages for one target: each notice its own, or many as one."""
    if addressee.digest is None and len(ready) <= SINGLY:
        return [
            Posting(addressee, message_of(Notice.read(each.payload["notice"])), (each,))
            for each in ready
        ]
    together = tuple(ready[:_TOGETHER])
    if not together:
        return []
    read = [Notice.read(each.payload["notice"]) for each in together]
    return [Posting(addressee, digest_of(read), together)]


def letter_of(settings: Settings, addressee: Addressee, message: Message) -> Letter:
    """Return a message as a letter; raise UndeliveredError if the target's URL is not there."""
    target = settings.notify.targets[addressee.name]
    try:
        if target.url_file is not None:
            url = settings.secret_in(target.url_file)
        else:
            url = settings.secret(target.url_variable or "")
    except SettingsError as error:
        raise UndeliveredError(str(error)) from error
    return Letter(url, message.title, message.body, addressee.allow_private)


def _sent(
    settings: Settings, journal: Journal, send: Send, postings: Sequence[Posting], now: datetime
) -> Delivered:
    try:
        letters = [letter_of(settings, each.addressee, each.message) for each in postings]
    except UndeliveredError as error:
        reasons = [str(error)] * len(postings)
    else:
        reasons = [receipt.reason for receipt in send(letters)] if letters else []
    done = Delivered()
    for posting, reason in zip(postings, reasons, strict=True):
        if reason:
            done += _refused(journal, posting, reason, now)
            continue
        for each in posting.errands:
            journal.settle(each, now)
        done += Delivered(sent=len(posting.errands))
    return done


def _refused(journal: Journal, posting: Posting, reason: str, now: datetime) -> Delivered:
    why = f"target {posting.addressee.name!r}: {reason}"
    _log.warning("%d notices wait in the outbox, %s", len(posting.errands), why)
    for each in posting.errands:
        until = next_try(each.key, each.attempts + 1, now)
        journal.postpone(each, until, why)
    return Delivered(refused=len(posting.errands))


def _let_go(journal: Journal, waiting: DueErrand, now: datetime) -> bool:
    """Let go of what nobody took for so long that it is no news any more."""
    if now - waiting.time <= NOTICE_LIFE:
        return False
    told = "A notice of %s for %r was never taken, and is let go."
    _log.warning(told, waiting.kb, waiting.payload["target"])
    journal.settle(waiting, now)
    return True
