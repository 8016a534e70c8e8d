"""Run by test_crash in a process of its own: one refresh, killed at a chosen moment."""

import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders import OnProgress
from retrieval.failpoints import arm
from retrieval.sources import Feed
from retrieval.sources.folder import FolderSource
from tests.retrieval.builders import HashingEmbedder, KnowledgeBase, paragraph

# The process this one is forked from imports LanceDB and never uses it: nothing is under way.
warnings.filterwarnings("ignore", message="lancedb fork support", category=RuntimeWarning)

Documents = dict[str, str]


def documents(count: int, *, says: str = "") -> Documents:
    """Return documents of six sections each, every section a chunk of its own."""
    return {
        f"{at:03}.md": "\n\n".join(
            f"## Section {part}\n\n{paragraph(f'{says} {at} {part}', words=24)}"
            for part in range(6)
        )
        for at in range(count)
    }


def edited(count: int) -> Documents:
    """Return the documents after edits, with some gone, two moved and two copied."""
    now = documents(count) | documents(count // 2, says="edited")
    for at in range(count - 8, count - 4):
        del now[f"{at:03}.md"]
    for at in range(count - 4, count - 2):
        now[f"moved/{at:03}.md"] = now.pop(f"{at:03}.md")
        now[f"copied/{at:03}.md"] = now[f"moved/{at:03}.md"]
    return now


@dataclass(frozen=True)
class Scene:
    """What the sources held at the last refresh, and what the one that is killed will find.

    A source that holds nothing any more is out of reach.
    """

    before: dict[str, Documents]
    after: dict[str, Documents]
    embedder_before: str = "a" * 64
    embedder: str = "a" * 64
    max_tokens: int = 64


MANY = ("guide", "notes", "wiki")
SCENES = {
    "first-build": Scene(before={}, after={"": documents(60)}),
    "later-refresh": Scene(before={"": documents(60)}, after={"": edited(60)}),
    "another-embedder": Scene(
        before={"": documents(60)}, after={"": edited(60)}, embedder_before="b" * 64
    ),
    "cut-another-way": Scene(before={"": documents(40)}, after={"": edited(40)}, max_tokens=24),
    "many-sources": Scene(
        before={name: documents(24, says=name) for name in MANY},
        after={"guide": documents(24), "notes": edited(24), "wiki": {}},
    ),
}


@dataclass
class CountingEmbedder(HashingEmbedder):
    """Counts what it embeds in a file, which is there after a kill."""

    file: Path = field(default_factory=Path)

    def embed(
        self, texts: Sequence[str], *, on_progress: OnProgress | None = None
    ) -> NDArray[np.float32]:
        embedded = len(self.embedded)
        made = super().embed(texts, on_progress=on_progress)
        with self.file.open("a") as file:
            file.write(f"{len(self.embedded) - embedded}\n")
        return made


def embedded_in(state: Path) -> int:
    """Return how many texts were embedded there, by every process so far."""
    return sum(map(int, (state / "embedded").read_text().split()))


def knowledge_base(scene: str, sources: Path, state: Path) -> KnowledgeBase:
    """Return the knowledge base of a scene as the process that is killed sees it."""
    names = SCENES[scene].after
    feeds = [Feed(FolderSource(sources / (name or "docs")), name) for name in names]
    embedder = CountingEmbedder(SCENES[scene].embedder, file=state / "embedded")
    embedder.file.touch()
    return KnowledgeBase(state, feeds, embedder, SCENES[scene].max_tokens)


def refresh(scene: str, sources: Path, state: Path, failpoint: str) -> None:
    """Refresh, and be killed at the failpoint if one is given."""
    arm(failpoint)
    knowledge_base(scene, sources, state).refresh()


SIGKILLED = -signal.SIGKILL
