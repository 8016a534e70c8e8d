"""A knowledge base of ten real documents with its first release, copied for each test."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows import cli
from flows.desk import Desk, open_desk
from flows.embedder import open_embedder
from flows.settings.settings import Settings, load_settings
from flows.steps import quietly
from retrieval.embedders import Embedder

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook" / "v1"


@dataclass(frozen=True)
class Ran:
    """What one command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Place:
    """A folder with settings, documents and a home, and the command line in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def docs(self) -> Path:
        return self.folder / "docs"

    def run(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        status = cli.run(["--config", str(self.folder / "driftline.toml"), *arguments])
        captured = self.capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    def desk(self) -> Any:
        return open_desk(load_settings(self.folder / "driftline.toml"), "docs")

    def configure(self, settings: str) -> None:
        """Let these settings take the place of those that were."""
        (self.folder / "driftline.toml").write_text(settings, encoding="utf-8")

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.run("history", "docs", "--json").json
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.docs / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="session")
def first_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which release 1 was published, made once."""
    from flows.refresh import refresh  # noqa: PLC0415 - lancedb, for the tests that need it

    folder = tmp_path_factory.mktemp("first")
    shutil.copytree(HANDBOOK / "billing", folder / "docs" / "billing")
    shutil.copytree(HANDBOOK / "accounts", folder / "docs" / "accounts")
    # Weighing the champion takes seconds; the tests that are about it say so in settings.
    settings = '[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n'
    (folder / "driftline.toml").write_text(settings, encoding="utf-8")
    with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
        refresh(desk, quietly)
    return folder


@pytest.fixture
def place(first_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(first_release, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    with place.desk() as opened:
        yield opened


@pytest.fixture(scope="session")
def embedders() -> dict[str, Embedder]:
    return {}


@pytest.fixture
def warm(embedders: dict[str, Embedder], monkeypatch: pytest.MonkeyPatch) -> None:
    """Load each embedding model once for all commands of the session, not once for each."""

    def opened(settings: Settings) -> Embedder:
        return embedders.setdefault(repr(settings.embedder), open_embedder(settings))

    monkeypatch.setattr("flows.desk.open_embedder", opened)
