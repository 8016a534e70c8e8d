"""A knowledge base with a document to forget: in two generations, checks, trainings, and MLflow."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

from flows.desk import Desk
from flows.erasing.places import tracked_by
from tests.flows.tiny_place import TinyPlace, base_model

_ADVISED = ("[kb.docs.surprise]", '[kb.docs.policy]\nmode = "advise"\n[kb.docs.surprise]')
_MOVABLE = (("experiments", "artifact_location"), ("runs", "artifact_uri"))
_SOURCES = (("model_versions", "source"), ("model_versions", "storage_location"))


def moved_with_tracking(folder: Path, to: Path) -> Path:
    """Copy a place, and let MLflow's database in it name the files in the copy."""
    shutil.copytree(folder, to)
    with closing(sqlite3.connect(to / ".driftline" / "mlflow.db")) as database, database:
        for table, column in (*_MOVABLE, *_SOURCES):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608 - ours
                (str(folder), str(to)),
            )
    return to


def code_of(uri: str) -> str:
    """Return the token that only this document holds."""
    return f"zq{uri.removesuffix('.md')[-2:]}7731kx"


def plant(place: TinyPlace, *, fee: int) -> None:
    """Give every document a section with its own token, and a fact that a check sees changing."""
    for path in sorted((place.folder / "docs").iterdir()):
        with path.open("a", encoding="utf-8") as file:
            file.write(
                f"\n## Code\n\nThe keeper of {path.stem} writes the code {code_of(path.name)} on "
                f"every lid of the workshop. The engraving costs {fee} crowns for each lid.\n"
            )


def trained_documents(desk: Desk) -> list[str]:
    """Return the documents that rows of a training are about, the most frequent one first."""
    tracked = tracked_by(desk)
    assert tracked is not None
    rows = [
        row
        for folder in tracked.runs.values()
        for file in folder.glob("examples/*.parquet")
        for row in pq.read_table(file, columns=["part", "uri"]).to_pylist()
        if row["part"] == "train" and row["uri"].startswith("device-")
    ]
    uris = [row["uri"] for row in rows]
    return sorted(set(uris), key=lambda uri: (-uris.count(uri), uri))


def build(folder: Path) -> TinyPlace:
    """Make a place of two editions: a check saw facts change, the champion was trained here."""
    place = TinyPlace(folder)
    place.write_edition(1)
    plant(place, fee=5)
    place.settings_file.write_text('[kb.docs.source]\npath = "docs"\n', encoding="utf-8")
    with place.desk() as desk:
        like = desk.base
    place.configure(base_model(like, folder / "model").folder, _ADVISED)
    place.run_json("refresh", "docs")
    place.write_edition(2)
    plant(place, fee=6)
    place.run_json("monitor", "docs")
    version = str(place.run_json("retrain", "docs")["version"])
    shown = json.loads(place.run("promote", "docs", "--version", version, "--json").out)
    place.run_json("promote", "docs", "--version", version, "--evidence", shown["evidence"])
    return place


def move_on(place: TinyPlace, uri: str, *, to: str) -> None:
    """Move a document, and have the index made anew beside the one that there is."""
    docs = place.folder / "docs"
    (docs / uri).rename(docs / to)
    place.run_json("refresh", "docs")
    place.configure(place.folder / "model", _ADVISED, ("chunk_tokens = 64", "chunk_tokens = 48"))
    place.run_json("refresh", "docs")
    place.run_json("monitor", "docs")
