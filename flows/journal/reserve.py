"""Room on the disk that the journal alone uses: set aside while there is plenty, drawn on in need.

What answers is changed by one transaction of the journal; a full disk must not be in its way.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Hundreds of entries and a promotion fit; a disk has that much to spare.
RESERVE_BYTES = 8 << 20
# One transaction: some dozen pages of 4 KiB in the write-ahead log, as many in the database once
# that is written back, and 32 KiB for the log's index. Given back no faster than it is needed, so
# that others who fill the disk do not get what is left.
PIECE_BYTES = 256 << 10
# Nothing is set aside from a disk with less than this many reserves free: others need it more.
_PLENTY = 4


@dataclass(frozen=True, slots=True)
class Reserve:
    """A file of nothing beside a SQLite journal."""

    file: Path

    @classmethod
    def beside(cls, journal: Path) -> Reserve:
        """Return the reserve of a journal, set aside or not."""
        return cls(journal.with_name(f"{journal.name}-reserve"))

    def set_aside(self) -> bool:
        """Make the reserve whole if the disk has plenty of room; return whether it is whole."""
        lacking = RESERVE_BYTES - self.size
        if lacking > 0 and self._free() < _PLENTY * RESERVE_BYTES:
            return False
        if lacking > 0:
            # Written, not claimed: a hole in a file takes no room. What fails is tried again later.
            with suppress(OSError), self.file.open("ab") as file:
                file.write(bytes(lacking))
        return self.size >= RESERVE_BYTES

    def draw(self) -> bool:
        """Give a piece back if the disk has less than that free; return whether one was given."""
        size = self.size
        if not size or self._free() >= PIECE_BYTES:
            return False
        # Where this is refused, the database says why it cannot write either.
        with suppress(OSError):
            os.truncate(self.file, max(0, size - PIECE_BYTES))
            return True
        return False

    @property
    def size(self) -> int:
        """The bytes that are set aside."""
        try:
            return self.file.stat().st_size
        except OSError:
            return 0

    def _free(self) -> int:
        return shutil.disk_usage(self.file.parent).free
