"""What all sides of the comparison share: embedders, clock, command line. No peer's library.

A side is a script `SIDE_run.py` with two functions: `refresh` brings the index in a state folder in
step with a folder of documents, and `search` answers a question from that index. One process is one
refresh, as a scheduled run would be. Its imports are excluded: before the clock starts, the same
refresh is rehearsed on one small document elsewhere, which loads whatever is loaded on first use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Found = list[tuple[str, str]]
"""Uri and text of each chunk found, best first."""

DIMENSION = 384  # of MiniLM; the trivial vectors are as wide, so that the tables weigh the same
ENDINGS = (".md", ".rst", ".txt")
DEPTH = 5  # chunks a question may look at


class CountingEmbedder(ABC):
    """Makes vectors of unit length, and counts the texts and its own CPU seconds."""

    def __init__(self) -> None:
        self.embedded = 0
        self.cpu_s = 0.0

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text."""
        began = time.thread_time()
        made = self._make(texts)
        self.cpu_s += time.thread_time() - began
        self.embedded += len(texts)
        return made

    def lists(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the rows as lists, for the sides whose interface asks for them."""
        made = self.vectors(texts)
        began = time.thread_time()
        listed: list[list[float]] = made.tolist()
        self.cpu_s += time.thread_time() - began
        return listed

    @abstractmethod
    def _make(self, texts: Sequence[str]) -> Vectors: ...


class TrivialEmbedder(CountingEmbedder):
    """A vector from the text's hash, at next to no cost: leaves what a refresh itself costs."""

    def _make(self, texts: Sequence[str]) -> Vectors:
        hashed = b"".join(hashlib.shake_128(text.encode()).digest(DIMENSION) for text in texts)
        rows = np.frombuffer(hashed, np.uint8).reshape(-1, DIMENSION).astype(np.float32) - 127.5
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class ModelEmbedder(CountingEmbedder):
    """A sentence-transformers model as the peers' own wrappers run it: 32-bit, loaded on use."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._model: Any = None

    def _make(self, texts: Sequence[str]) -> Vectors:
        if self._model is None:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 seconds, and only here

            self._model = SentenceTransformer(str(self.folder), local_files_only=True)
        made: Vectors = self._model.encode(list(texts), show_progress_bar=False)
        return made


@dataclass(frozen=True, slots=True)
class Side:
    """One side: what it does, and the LanceDB table that it keeps in its state folder."""

    refresh: Callable[[Path, Path, CountingEmbedder], None]
    search: Callable[[Path, Path, CountingEmbedder, str], Found] | None
    tables: str
    table: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one refresh came to. `cpu_s` is all of it; `embedder_cpu_s` is the part that embeds.

    `versions` counts the versions of the table that it made.
    """

    cpu_s: float
    embedder_cpu_s: float
    embedded: int
    rows: int
    versions: int


def main(side: Side) -> None:
    """Do what the command line says and print the answer as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["refresh", "search"])
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a model's folder; left out, vectors are hashes")
    parser.add_argument("--packages", type=Path, help="where sentence-transformers is installed")
    parser.add_argument("--questions", type=Path, help="a JSON list of questions to search for")
    chosen = parser.parse_args()
    if chosen.packages:
        sys.path.append(str(chosen.packages))  # last: what a peer brought along comes first
    embedder = ModelEmbedder(chosen.model) if chosen.model else TrivialEmbedder()
    if chosen.action == "search":
        questions = json.loads(chosen.questions.read_text("utf-8"))
        _tell(searched(side, chosen.documents, chosen.state, embedder, questions))
    else:
        _tell(asdict(refreshed(side, chosen.documents, chosen.state, embedder)))


def refreshed(side: Side, documents: Path, state: Path, embedder: CountingEmbedder) -> Cost:
    """Return what bringing the state in step with the documents costs."""
    if isinstance(embedder, ModelEmbedder):
        import sentence_transformers  # noqa: F401, PLC0415 an import, so not of the measured part
    rehearse(side)
    before = _version(side, state)
    began = cpu_seconds()
    side.refresh(documents, state, embedder)
    spent = cpu_seconds() - began
    rows = lancedb.connect(state / side.tables).open_table(side.table).count_rows()
    versions = _version(side, state) - before
    return Cost(spent, embedder.cpu_s, embedder.embedded, rows, versions)


def searched(
    side: Side, documents: Path, state: Path, embedder: CountingEmbedder, questions: list[str]
) -> list[Found]:
    """Return what the side finds for each question."""
    if side.search is None:
        msg = "This side is not asked questions."
        raise SystemExit(msg)
    return [side.search(documents, state, embedder, question) for question in questions]


def rehearse(side: Side) -> None:
    """Refresh twice from one small document, with and without a change."""
    with tempfile.TemporaryDirectory() as made:
        documents, state = Path(made) / "documents", Path(made) / "state"
        documents.mkdir()
        state.mkdir()
        for text in ("One sentence.\n", "Another sentence.\n"):
            (documents / "one.txt").write_text(text, "utf-8")
            side.refresh(documents, state, TrivialEmbedder())


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, all its threads, and its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _version(side: Side, state: Path) -> int:
    if not (state / side.tables / f"{side.table}.lance").is_dir():
        return 0
    return int(lancedb.connect(state / side.tables).open_table(side.table).version)


def _tell(answer: object) -> None:
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
