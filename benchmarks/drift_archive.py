"""Labelled pairs of releases, and the chunk tables of the releases: each read once, kept on disk.

The archive of releases (see corpora.py) has `pairs.json`: pairs of versions with their kind, from
the version numbers, and the share of questions that only the newer version answers.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from corpora import unpack
from pyarrow import feather

from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource

# What was asked of each version for a label.
QUESTIONS = 300
# What the measures read of a chunk.
COLUMNS = ["uri", "headings", "ordinal", "text", "normal_digest", "document_digest"]


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """A version of one project's documentation."""

    project: str
    version: str

    @property
    def order(self) -> tuple[int, ...]:
        """What sorts 4.2.10 behind 4.2.9."""
        return tuple(int(part) for part in self.version.split("."))


@dataclass(frozen=True, slots=True)
class ReleasePair:
    """Two versions of one project; `kind` is patch, minor, major, or cum for years apart.

    `stale` is the share of questions that the current version answers and the reference does not:
    a difference of two counts out of 300, so a little under 0 where nothing changed. `answered` is
    how many of the 300 the current version answers.
    """

    reference: Release
    current: Release
    kind: str
    stale: float
    answered: int

    @property
    def project(self) -> str:
        """The project that both are versions of."""
        return self.reference.project


@dataclass(frozen=True, slots=True)
class Tables:
    """Chunk tables of releases, in a folder."""

    folder: Path

    def read(self, release: Release) -> pa.Table:
        """Return the table of a release; its columns stay on disk until they are looked at."""
        return feather.read_table(self._path(release), memory_map=True)

    def write(self, release: Release, documents: Path) -> None:
        """Read the documents of a release, and keep their chunks."""
        table, _ = read_chunk_table(FolderSource(documents))
        feather.write_feather(
            table.select(COLUMNS), self._path(release), compression="uncompressed"
        )

    def _path(self, release: Release) -> Path:
        return self.folder / f"{release.project}-{release.version}.arrow"


def read_pairs(archives: Path, *, most: int | None) -> list[ReleasePair]:
    """Return the labelled pairs; at most so many of each project, spread over the kinds."""
    listed = json.loads((archives / "pairs.json").read_text("utf-8"))
    pairs = [
        ReleasePair(
            Release(each["project"], each["ref"]),
            Release(each["project"], each["cur"]),
            each["kind"],
            each["cloze_stale"],
            round(QUESTIONS * each["acc_cur"]),
        )
        for each in listed
    ]
    projects = sorted({pair.project for pair in pairs})
    return [pair for project in projects for pair in _spread(pairs, project, most)]


def releases_of(pairs: Iterable[ReleasePair]) -> list[Release]:
    """Return every release of some pairs, project by project, oldest first."""
    named = {release for pair in pairs for release in (pair.reference, pair.current)}
    return sorted(named, key=lambda release: (release.project, release.order))


def unpacked(archives: Path, releases: Iterable[Release], folder: Path) -> list[Path]:
    """Unpack each project's archive once, whole, and return where the releases stand in it."""
    places = []
    for release in releases:
        if not (folder / release.project).is_dir():
            with tarfile.open(archives / f"{release.project}.tar.xz") as archive:
                archive.extractall(folder, filter="data")
        places.append(unpack(archives, release.project, release.version, folder))
    return places


def _spread(pairs: list[ReleasePair], project: str, most: int | None) -> list[ReleasePair]:
    own = sorted((pair for pair in pairs if pair.project == project), key=lambda pair: pair.kind)
    if most is None or most >= len(own):
        return own
    return [own[at * len(own) // most] for at in range(most)]
