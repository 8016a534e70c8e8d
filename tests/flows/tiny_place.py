"""A knowledge base of invented devices with a tiny base model: a whole real retraining in seconds.

Nothing here knows anything: what is trained, weighed and kept is real, what it is good for is not.
"""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from flows import cli
from flows.desk import Desk, open_desk
from flows.journal.journal import Entry
from flows.settings.settings import load_settings
from flows.steps import quietly
from tests.flows.conftest import Ran
from tests.training.builders import invented
from tests.training.tiny import tiny_base
from training.records import BaseModel

_SOURCE = '[kb.docs.source]\npath = "docs"\n'
# The judge judges whatever there is; a table that a test adds comes after.
_SETTINGS = f"""
[kb.docs]
chunk_tokens = 64
{_SOURCE}
[kb.docs.surprise]
passages = 0
[kb.docs.promotion]
mode = "auto"
text_rows = 2
answer_rows = 2
part_rows = 1
documents = 2
[kb.docs.training]
budget_tokens = 5000
epochs = 1
rank = 4
alpha = 8
max_row_tokens = 128
holdout_text_rows = 8
holdout_answer_rows = 8
holdout_cloze_rows = 2
holdout_general_rows = 2
"""
_SECTIONS = ("Cost", "Opening", "Cable", "Warranty")


@dataclass(frozen=True)
class TinyPlace:
    """A folder with documents, a tiny base model, settings and a home."""

    folder: Path

    @property
    def settings_file(self) -> Path:
        return self.folder / "driftline.toml"

    @property
    def trainings(self) -> Path:
        """Where what a training leaves lies until its verdict."""
        return self.folder / ".driftline" / "kb" / "docs" / "trainings"

    def write_edition(self, edition: int) -> None:
        """Write the handbook; each edition changes every third device."""
        docs = self.folder / "docs"
        docs.mkdir(parents=True, exist_ok=True)
        for uri, texts in invented(edition=edition).items():
            told = zip(_SECTIONS, texts, strict=True)
            sections = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in told)
            (docs / uri).write_text(f"# {uri.removesuffix('.md')}\n\n{sections}\n")

    def configure(self, base: Path, *changes: tuple[str, str]) -> None:
        """Write the settings anew: for this base model, with old → new in them."""
        settings = f'[model]\nbase = "{base}"\n{_SETTINGS}'
        for old, new in changes:
            assert old in settings
            settings = settings.replace(old, new)
        self.settings_file.write_text(settings, encoding="utf-8")

    def run(self, *arguments: str) -> Ran:
        """Run one command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.run(["--config", str(self.settings_file), *arguments])
        return Ran(status, out.getvalue(), err.getvalue())

    def refresh(self, edition: int) -> str:
        """Publish another edition and return its snapshot."""
        self.write_edition(edition)
        self.run_json("refresh", "docs")
        with self.desk() as desk:
            return desk.release().release.snapshot

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        with open_desk(load_settings(self.settings_file), "docs") as desk:
            yield desk

    def standing(self) -> "Standing":
        """Return what must be as it was wherever nothing was promoted."""
        with self.desk() as desk:
            versions = MlflowClient(desk.settings.tracking_uri).search_model_versions(
                f"name = '{desk.model_name}'"
            )
            return Standing(
                history=tuple(entry["release"] for entry in self.run_json("history", "docs")),
                champion=desk.registry.pointed(desk.model_name, "champion"),
                versions=len(versions),
                verdicts=len(self.verdicts()),
                first_broken=desk.journal.first_broken(),
            )

    def run_json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.status == 0, done.err
        return done.json

    def verdicts(self) -> tuple[Entry, ...]:
        with self.desk() as desk:
            return desk.journal.entries("docs", "verdict")

    def training_runs(self) -> list[Any]:
        """Return the MLflow runs of trainings, the oldest first."""
        with self.desk() as desk:
            client = MlflowClient(desk.settings.tracking_uri)
            experiment = client.get_experiment_by_name("driftline-docs")
            assert experiment is not None
            wanted = "tags.`driftline.role` = 'training'"
            order = ["attributes.start_time ASC"]
            return list(client.search_runs([experiment.experiment_id], wanted, order_by=order))

    def statuses(self) -> list[str]:
        """Return how each training ended, sorted."""
        return sorted(run.info.status for run in self.training_runs())

    def adapter_digest(self, version: int) -> str:
        """Return the digest of a version's adapter, after its files were hashed."""
        with self.desk() as desk:
            return desk.registry.version(desk.model_name, version).adapter_digest


@dataclass(frozen=True)
class Standing:
    """Releases, champion's alias, versions and verdicts, and whether the journal's chain holds."""

    history: tuple[str, ...]
    champion: int | None
    versions: int
    verdicts: int
    first_broken: int | None


@dataclass(frozen=True)
class Undisturbed:
    """A place after one retraining that nothing disturbed, and what was said on the way."""

    place: TinyPlace
    planned: Any
    verdicts_after_plan: int
    outcome: Any
    planned_again: Any
    verdict: Entry
    run: Any

    def client(self) -> MlflowClient:
        with self.place.desk() as desk:
            return MlflowClient(desk.settings.tracking_uri)

    def history_of(self, metric: str) -> list[Any]:
        return list(self.client().get_metric_history(self.run.info.run_id, metric))


class Meanwhile:
    """Performs steps, and when training would begin runs two commands instead of it."""

    def __init__(self, place: TinyPlace) -> None:
        self._place = place
        self.refreshed: Any = None
        self.retrained: Any = None

    def __call__(self, title: str, work: Any, *, retries: int = 0) -> Any:
        if not title.startswith("Training the challenger"):
            return quietly(title, work, retries=retries)
        self._place.write_edition(3)
        self.refreshed = self._place.run("refresh", "docs", "--json")
        self.retrained = self._place.run("retrain", "docs", "--json")
        raise KeyboardInterrupt


def copy(place: TinyPlace, folder: Path) -> TinyPlace:
    """Return the same place in another folder; what MLflow holds of runs so far stays shared."""
    shutil.copytree(place.folder, folder)
    return TinyPlace(folder)


def build(folder: Path) -> TinyPlace:
    """Make a knowledge base of two editions, whose champion is the bare tiny model."""
    place = TinyPlace(folder)
    place.write_edition(1)
    place.settings_file.write_text(_SOURCE, encoding="utf-8")
    with place.desk() as desk:
        like = desk.base  # its tokenizer and chat template
    place.configure(base_model(like, folder / "model").folder)
    for edition in (1, 2):
        place.refresh(edition)
    return place


def base_model(like: BaseModel, folder: Path, *, seed: int = 7) -> BaseModel:
    """Write a tiny base model with the tokenizer of another."""
    return tiny_base(like, folder, seed=seed)
