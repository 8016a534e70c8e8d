"""The newest entry, noted in a small file outside of the database: a cut-off end shows."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_WRITTEN = re.compile(r"(\d+):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """An entry by its number, counted from 1, and its digest."""

    sequence: int
    digest: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest}"


def parse_head(text: str) -> Head | None:
    """Return a head as a person noted it, None if it is not one.

    >>> parse_head("3:" + "0f" * 32).sequence, parse_head("3"), parse_head("x:00")
    (3, None, None)
    """
    written = _WRITTEN.fullmatch(text.strip())
    return Head(int(written[1]), written[2]) if written else None


def note_head(file: Path, head: Head) -> None:
    """Note the newest entry; on a full disk the older note stays, and says less.

    Not synced: it may fall behind the database, and must never be ahead of it.
    """
    # One name: what a killed run left of it is taken by the next. Who loses a race wrote as much.
    draft = file.with_name(f".{file.name}.tmp")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(head)) + "\n", encoding="utf-8")
        draft.replace(file)


def read_head(file: Path) -> Head | None:
    """Return the newest entry that was noted, None if none can be read."""
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        return parse_head(f"{noted['sequence']}:{noted['digest']}")
    except (OSError, ValueError, TypeError, KeyError):
        return None
