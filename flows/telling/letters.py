"""What goes to the process that sends messages, and what comes back. JSON, one object a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    """One message for one target. The URL is a secret: it is in no message of an error."""

    url: str
    title: str
    body: str
    allow_private: bool

    def __repr__(self) -> str:
        """Return what may be shown."""
        return f"Letter({self.title!r})"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the letter of that number; `reason` is "" if it was delivered."""

    number: int
    reason: str


def packed(letters: Sequence[Letter]) -> str:
    """Return letters as lines."""
    return "".join(f"{json.dumps(asdict(letter))}\n" for letter in letters)


def unpacked(lines: str) -> tuple[Letter, ...]:
    """Return the letters that lines hold."""
    return tuple(Letter(**json.loads(line)) for line in lines.splitlines())


def receipts_in(lines: str) -> tuple[Receipt, ...]:
    r"""Return the receipts among lines; whatever a service's library printed is left out.

    >>> receipts_in('noise\n{"number": 0, "reason": ""}\n{"number": 1, "rea')
    (Receipt(number=0, reason=''),)
    """
    found = []
    for line in lines.splitlines():
        try:
            found.append(Receipt(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(found)
