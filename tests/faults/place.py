"""Places that faults are provoked in: a tiny knowledge base at each stage of its life.

Index, journal, MLflow, training and registry are real; the embedder is a hash, the base model tiny.
"""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from mlflow import MlflowClient

import flows.desk
import flows.retrain
from flows.failpoints import arm
from flows.journal import reserve
from flows.steps import quietly
from retrieval.drafting import plan_refresh
from retrieval.records import Snapshot
from retrieval.refresh import apply_refresh
from tests.faults.disks import SMALL_RESERVE
from tests.flows.tiny_place import TinyPlace, base_model
from tests.retrieval.builders import HashingEmbedder
from training.weighing import Choice, Verdict

DAY = timedelta(days=1)
SMALL_COMMITS = 22  # more than what compaction asks for
# Where MLflow's database says where files are, as addresses with the place's folder in them.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
# A check decides and trains nothing here: what trains is killed in scenes of its own.
_ADVISE = ("[kb.docs.promotion]", '[kb.docs.policy]\nmode = "advise"\n[kb.docs.promotion]')


def stand_in() -> None:
    """Have this process embed by hashing: the same vectors everywhere, and no model to load."""
    vars(flows.desk)["open_embedder"] = lambda _: HashingEmbedder()
    reserve.RESERVE_BYTES = SMALL_RESERVE


def judge_better() -> None:
    """Have this process find every challenger better: a model that knows nothing never is."""
    better = Choice(0, Verdict(promote=True, reason="better"))
    vars(flows.retrain)["choose"] = lambda *_, **__: better


def copied(folder: Path, to: Path) -> Path:
    """Return a copy of a place that shares nothing with it, MLflow's files included."""
    shutil.copytree(folder, to)
    database = to / ".driftline" / "mlflow.db"
    if database.exists():
        with closing(sqlite3.connect(database)) as mlflow, mlflow:
            for table, column in _ADDRESSES:
                moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608 ours
                mlflow.execute(moved, (str(folder), str(to)))
    return to


def bare(folder: Path) -> TinyPlace:
    """Documents and settings; nothing was ever published. MLflow has its tables."""
    place = TinyPlace(folder)
    place.write_edition(1)
    place.settings_file.write_text('[kb.docs.source]\npath = "docs"\n', encoding="utf-8")
    with place.desk() as desk:
        model = base_model(desk.base, folder / "model").folder
        MlflowClient(desk.settings.tracking_uri).create_experiment("somebody-else's")
    place.configure(model, _ADVISE)
    return place


def first(folder: Path) -> None:
    """The first release answers, and the documents moved on since."""
    place = TinyPlace(folder)
    place.run_json("refresh", "docs")
    place.write_edition(2)


def second(folder: Path) -> None:
    """Two releases, with the bare base model as champion of both."""
    TinyPlace(folder).run_json("refresh", "docs")


def trained(folder: Path) -> None:
    """A retraining came as far as its adapter, and was stopped."""
    arm("retrain.trained=full")
    assert TinyPlace(folder).run("retrain", "docs").status == 1
    arm("")


def judged(folder: Path) -> None:
    """A challenger was found better, and waits for a person."""
    place = TinyPlace(folder)
    judge_better()
    settings = place.settings_file.read_text()
    place.settings_file.write_text(settings.replace('mode = "auto"', 'mode = "approve"'))
    place.run_json("retrain", "docs")


def promoted(folder: Path) -> None:
    """The challenger was promoted by a person."""
    place = TinyPlace(folder)
    place.run_json("promote", "docs", "--evidence", evidence(folder), "--by", "Ada")


def rolled_back(folder: Path) -> None:
    """The challenger was withdrawn again, and the knowledge base is frozen."""
    TinyPlace(folder).run_json("rollback", "docs", earlier(folder), "--by", "Ada")


def aged(folder: Path) -> None:
    """Many small commits, and a table cut another way between two others, as years leave them."""
    place = TinyPlace(folder)
    settings = place.settings_file.read_text()
    for tokens in (48, 40):
        recut = settings.replace("chunk_tokens = 64", f"chunk_tokens = {tokens}")
        place.settings_file.write_text(recut + "[kb.docs.keep]\ndays = 1\nreleases = 1\n")
        place.run_json("refresh", "docs")
    with place.desk() as desk:
        for number in range(SMALL_COMMITS):
            (folder / "docs" / f"note-{number}.md").write_text(f"# Note\n\nLamp {number} is lit.")
            with plan_refresh(
                desk.feeds, desk.index, desk.embedder, max_tokens=desk.kb.chunk_tokens
            ) as draft:
                apply_refresh(draft, desk.index, desk.embedder, run_id=f"note-{number}")
    place.run_json("refresh", "docs")


def without_documents(folder: Path) -> None:
    """All but three documents are gone from the source: more than a guard lets pass."""
    for path in sorted((folder / "docs").iterdir())[3:]:
        path.unlink()


def head_unreadable(folder: Path) -> None:
    """The manifest of what answers is torn, as a bad disk leaves it."""
    with TinyPlace(folder).desk() as desk:
        at = Snapshot.parse(desk.release().release.snapshot)
        manifest = desk.index.folders.versions(at.generation)[at.version]
        manifest.write_bytes(manifest.read_bytes()[:100])


def moved_by_hand(folder: Path) -> None:
    """A person pointed the alias at the other version, in MLflow."""
    with TinyPlace(folder).desk() as desk:
        there = desk.registry.pointed(desk.model_name, "champion")
        client = MlflowClient(desk.settings.tracking_uri)
        client.set_registered_model_alias(desk.model_name, "champion", str(3 - (there or 1)))


def evidence(folder: Path) -> str:
    """Return the digest that approves the challenger that waits."""
    shown = TinyPlace(folder).run("promote", "docs", "--json")
    return str(shown.json["evidence"])


def earlier(folder: Path) -> str:
    """Return the id of the release before the one that answers."""
    with TinyPlace(folder).desk() as desk:
        return desk.journal.history("docs")[-2].release.id


def accepted(folder: Path) -> str:
    """Return the digest that a guard asks for."""
    found = re.search(r"--accept (\w+)", TinyPlace(folder).run("refresh", "docs").err)
    assert found is not None
    return found[1]


def changes_nothing(folder: Path) -> bool:
    """True if a refresh would change nothing: what the documents say is what the index holds."""
    with TinyPlace(folder).desk() as desk:
        from flows.refresh import plan  # noqa: PLC0415 - not before the desk's frameworks

        return plan(desk, quietly).changes_nothing


Step = Callable[[Path], object]
