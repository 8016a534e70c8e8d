"""Sends letters to any service that apprise knows. Only this file imports it.

Run as a process of its own, `python -m flows.telling.notify`: letters come in on standard input,
receipts go out on standard output. So a URL is in no argument list and no environment, a service
that hangs is ended from outside, and the guard on addresses holds for whatever library a service
brings.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from dataclasses import asdict

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat
from apprise.common import PersistentStoreMode

from flows.telling.connect_guard import ConnectGuard
from flows.telling.letters import Letter, Receipt, unpacked

_STATUS = re.compile(r"error=(\d{3})\b")
_UNKNOWN = (
    "its URL is of no service that apprise knows, or lacks a part of it; "
    "https://appriseit.com/services/ lists them"
)


class _Heard(logging.Handler):
    """Keeps the HTTP status that a service's code tells; its words may hold parts of the URL."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if found := _STATUS.search(record.getMessage()):
            self.status = found[1]


def deliver(letter: Letter, guard: ConnectGuard) -> str:
    """Send one letter; return why it was not delivered, in words that hold no secret, or ""."""
    guard.allow_private = letter.allow_private
    guard.refused.clear()
    asset = AppriseAsset(
        async_mode=False,
        http_redirects=False,  # nor by what a service makes in turn
        storage_mode=PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
    )
    service = Apprise.instantiate(letter.url, asset=asset)
    if not isinstance(service, NotifyBase):
        return _UNKNOWN
    service.redirects = False  # whatever its URL says
    heard, sender = _Heard(), Apprise(asset=asset)
    logging.getLogger("apprise").addHandler(heard)
    try:
        sender.add(service)
        sent = sender.notify(title=letter.title, body=letter.body, body_format=NotifyFormat.TEXT)
    finally:
        logging.getLogger("apprise").removeHandler(heard)
    return "" if sent else _reason(guard, heard.status)


def _reason(guard: ConnectGuard, status: str) -> str:
    if guard.refused:
        return (
            "its host is not a public address; if it is a server of your own network, set "
            "allow_private for this target"
        )
    if status.startswith("3"):
        return f"the service answered with a redirect (HTTP {status}), which is not followed"
    return f"the service refused it (HTTP {status})" if status else "the service was not reached"


def main() -> None:
    """Deliver the letters of standard input in their order, with a receipt for each."""
    receipts = sys.stdout
    sys.stdout = sys.stderr  # nothing but receipts goes where they are read
    guard = ConnectGuard()
    guard.install()
    for number, letter in enumerate(unpacked(sys.stdin.read())):
        receipt = Receipt(number, deliver(letter, guard))
        receipts.write(f"{json.dumps(asdict(receipt))}\n")
        receipts.flush()


if __name__ == "__main__":
    main()
