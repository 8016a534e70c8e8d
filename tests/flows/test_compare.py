"""Comparing folders, snapshots and git revisions; and real documentation across real releases."""

import json
import subprocess
import tarfile
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.flows.conftest import HANDBOOK, Place

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
# Three pairs a kind and project, drawn once by hand from pairs.json: early, middle, late.
PAIRS = {
    "scrapy": {
        "patch": [("1.7.0", "1.7.1"), ("2.6.0", "2.6.1"), ("2.13.2", "2.13.3")],
        "minor": [("1.6.0", "1.7.0"), ("2.5.0", "2.6.0"), ("2.13.0", "2.14.0")],
        "major": [("1.0.0", "2.0.0"), ("1.8.0", "2.0.0"), ("2.0.0", "2.10.0")],
    },
    "sqlalchemy": {
        "patch": [("1.3.3", "1.3.4"), ("1.4.22", "1.4.23"), ("2.0.0", "2.0.1")],
        "minor": [("1.0.0", "1.1.0"), ("1.2.0", "1.3.0"), ("2.0.0", "2.1.0")],
        "major": [("1.3.0", "1.4.0"), ("1.4.0", "2.0.0"), ("1.3.0", "2.0.0")],
    },
    "django": {
        "patch": [("3.2", "3.2.1"), ("4.2.8", "4.2.9"), ("4.2.9", "4.2.10")],
        "minor": [("4.1", "4.2"), ("5.1", "5.2")],
        "major": [("2.0", "3.0"), ("3.0", "4.0")],
    },
}


def compared(place: Place, old: Path | str, new: Path | str) -> Any:
    done = place.run("compare", str(old), str(new), "--json")
    assert done.status == 0, done.err
    return done.json


def test_two_folders_are_compared_without_settings(place: Place, tmp_path: Path):
    (place.folder / "driftline.toml").unlink()

    drift = compared(place, HANDBOOK, HANDBOOK.with_name("v3"))

    assert drift["decision"]["action"] == "retrain"
    assert drift["signals"][3] | {"reason": ""} == {
        "name": "novelty",
        "score": None,
        "threshold": 0.05,
        "p_value": None,
        "low": None,
        "high": None,
        "drifted": False,
        "reason": "",
    }
    assert sum(document["share"] for document in drift["documents"]) == pytest.approx(1.0)


def test_a_routine_edit_of_the_handbook_does_not_retrain(place: Place):
    drift = compared(place, HANDBOOK, HANDBOOK.with_name("v2"))

    assert drift["decision"]["action"] == "none"
    assert 0 < drift["signals"][0]["score"] < 0.05
    kinds = {document["uri"]: document["kind"] for document in drift["documents"]}
    assert kinds["devices/warranty.md"] == "moved"


def test_two_snapshots_are_compared_with_their_vectors(place: Place):
    (place.docs / "new.md").write_text("# Tides\n\nThe sea rises twice a day, in a slow rhythm.\n")
    place.run("refresh", "docs")

    drift = compared(place, "docs@2", "docs@3")

    novelty = next(signal for signal in drift["signals"] if signal["name"] == "novelty")
    assert novelty["score"] > 0
    assert [document["uri"] for document in drift["documents"]] == ["new.md"]


def test_two_git_revisions_are_compared(place: Place, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", *who, *arguments]
        subprocess.run(command, cwd=place.docs, check=True, capture_output=True)

    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "one")
    git("tag", "v1")
    place.edit("billing/failed-payments.md", "14 days", "21 days")
    git("commit", "-am", "two")
    monkeypatch.chdir(place.docs)

    drift = compared(place, "v1", "main")

    (document,) = drift["documents"]
    assert (document["uri"], document["kind"]) == ("billing/failed-payments.md", "edited")


@pytest.mark.parametrize("side", ["no/such/place", "--upload-pack=x", "docs@0", "ext::sh"])
def test_what_is_nothing_is_told(place: Place, side: str):
    done = place.run("compare", "--json", "--", str(place.docs), side)

    assert (done.status, done.json["error"]["code"]) == (4, "SRC_UNREACHABLE")
    assert repr(side) in done.err


@pytest.mark.slow
@pytest.mark.skipif(not CORPORA.is_dir(), reason="the archive of releases is not beside the tree")
@pytest.mark.parametrize("project", PAIRS)
def test_patch_releases_drift_less_than_minor_and_minor_less_than_major(
    place: Place, tmp_path: Path, project: str
):
    versions = {v for pairs in PAIRS[project].values() for pair in pairs for v in pair}
    with tarfile.open(CORPORA / f"{project}.tar.xz") as archive:
        for member in archive:
            if member.name.split("/")[1] in versions:
                archive.extract(member, tmp_path, filter="data")
    folder = tmp_path / project

    scores = {
        kind: median(
            compared(place, folder / old, folder / new)["signals"][0]["score"] for old, new in pairs
        )
        for kind, pairs in PAIRS[project].items()
    }

    assert scores["patch"] < 0.01 < scores["minor"] < scores["major"], json.dumps(scores)
