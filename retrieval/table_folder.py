"""The folders of a knowledge base's tables: which there are, which versions, what was set aside.

Standard library only: nothing here opens a table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retrieval.records import KB_NAME, Snapshot

VERSIONS = "_versions"
MANIFEST = ".manifest"
SET_ASIDE = ".quarantine"
CONDEMNED = "_condemned"

# Lance numbers its manifests downwards from here, so that a listing shows the newest one first:
# https://lance.org/format/table/layout/
_FROM = 2**64 - 1
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A version that could not be read and was set aside: its name, its file now, and why."""

    snapshot: Snapshot
    file: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who knows what an index serves, and wants to hear what was set aside.

    What is newer than `serves()` was never told to anybody, so it may be set aside if it cannot be
    read; None means that nothing was ever served.
    """

    serves: Callable[[], Snapshot | None]
    tell: Callable[[Quarantined], None]


class TableFolders:
    """The tables of one knowledge base in the index's folder: one for each generation.

    Asked of the disk, since connecting would make a folder.
    """

    def __init__(self, folder: Path, kb: str) -> None:
        if re.fullmatch(KB_NAME, kb) is None:
            msg = f"Not a name for a knowledge base: {kb!r}. Use a-z, 0-9, _ and -, e.g. 'docs'."
            raise ValueError(msg)
        self.folder, self.kb = folder, kb

    def name(self, generation: int) -> str:
        """Return the name of a generation's table."""
        return self.kb if generation == 1 else f"{self.kb}.{generation}"

    def path(self, generation: int) -> Path:
        """Return the folder of a generation's table."""
        return self.folder / f"{self.name(generation)}.lance"

    def generations(self) -> list[int]:
        """Return the tables that a commit landed in, oldest first."""
        numbers = [1]
        for path in self.folder.glob(f"{self.kb}.*.lance"):
            number = path.name.removeprefix(f"{self.kb}.").removesuffix(".lance")
            numbers += [int(number)] if re.fullmatch("[1-9][0-9]*", number) else []
        return sorted(number for number in numbers if self.versions(number))

    def versions(self, generation: int) -> dict[int, Path]:
        """Return the manifest of each version of a table, the newest first."""
        found = (self.path(generation) / VERSIONS).glob(f"*{MANIFEST}")
        numbered = {version_of(path.name): path for path in found}
        return dict(sorted(numbered.items(), reverse=True))

    def condemn(self, generation: int, why: str) -> None:
        """Mark a table as damaged beyond its kept versions: the next refresh makes a new one."""
        (self.path(generation) / CONDEMNED).write_text(f"{why}\n", encoding="utf-8")

    def condemned(self, generation: int) -> bool:
        """True if a table was condemned."""
        return (self.path(generation) / CONDEMNED).is_file()


def version_of(manifest: str) -> int:
    """Return the version that a manifest's file name stands for, 0 for no number.

    >>> version_of("18446744073709551613.manifest"), version_of("7.manifest")
    (2, 7)
    """
    number = manifest.removesuffix(MANIFEST)
    if not number.isdecimal():
        return 0
    return _FROM - int(number) if len(number) == _DIGITS else int(number)


def set_aside(file: Path) -> Path:
    """Rename a file so that nothing takes it for what it was; return where it is now."""
    aside = file.with_name(f"{file.name}{SET_ASIDE}")
    number = 2
    while aside.exists():
        aside = file.with_name(f"{file.name}.{number}{SET_ASIDE}")
        number += 1
    file.rename(aside)
    return aside
