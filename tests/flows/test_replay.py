"""Replaying a knowledge base's own past through the command line: git, snapshots, folders."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.checking.past import thinned
from retrieval.parsing_process import Parser
from retrieval.records import Body, Document
from tests.flows.conftest import HANDBOOK, Place

FOLDERS = [str(HANDBOOK.with_name(name)) for name in ("v1", "v2", "v3")]


def replayed(place: Place, *arguments: str) -> Any:
    done = place.run("replay", "docs", *arguments, "--json")
    assert done.status == 0, done.err
    return done.json


def strategies(found: Any) -> dict[str, Any]:
    return {strategy["name"]: strategy for strategy in found["strategies"]}


def chapter(subject: str) -> str:
    sentences = (f"The {subject} of number {n} is kept in drawer {n * 7}." for n in range(400))
    return f"# {subject}\n\n" + " ".join(sentences)


@pytest.fixture
def repository(place: Place) -> Path:
    """The documents as a repository of three days, the second of which changes one number."""
    git(place.docs, "init", "--quiet", "--initial-branch=main")
    record(place.docs, day=1)
    place.edit("billing/failed-payments.md", "14 days", "21 days")
    record(place.docs, day=2)
    (place.docs / "parcels.md").write_text(chapter("parcel"), encoding="utf-8")
    record(place.docs, day=5)
    return place.docs


def git(folder: Path, *arguments: str, time: str = "") -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    dates = {"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time} if time else {}
    subprocess.run(
        ["git", *who, *arguments],  # noqa: S607 git of the PATH
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **dates},
    )


def record(folder: Path, *, day: int) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", str(day), time=f"2026-03-{day:02}T12:00:00Z")


def test_folders_are_replayed_in_the_order_given(place: Place):
    times = "2026-01-01,2026-02-01,2026-03-01"

    found = replayed(place, "--folders", *FOLDERS, "--times", times)

    assert [version["name"] for version in found["versions"]] == ["v1", "v2", "v3"]
    assert found["versions"][2]["time"] == "2026-03-01T00:00:00+00:00"
    policy = strategies(found)["policy"]
    assert [each["version"] for each in policy["retrained"]] == ["v3"]
    # v2 is a routine edit, and v3 is retrained on at once: what stood is what v2 brought.
    assert 0 < policy["worst"] < 0.02
    assert strategies(found)["step to step"]["retrainings"] == 1
    assert (found["kb"], found["origin"]) == ("docs", "folders")


def test_versions_of_equal_cost_and_words_are_in_the_object(place: Place):
    found = replayed(place, "--folders", *FOLDERS, "--budget", "0.5")

    assert list(strategies(found)) == [
        "policy",
        "calendar",
        "fixed threshold",
        "step to step",
        "hindsight, least mean",
        "hindsight, least worst",
    ]
    policy = strategies(found)["policy"]
    assert found["calendars"]["retrainings"] == policy["retrainings"]
    assert policy["cost_seconds"] is None
    assert found["proposal"]["budget"] == 0.5
    assert found["tradeoff"][-1]["retrainings"] == 0


def test_identical_folders_never_retrain(place: Place):
    found = replayed(place, "--folders", FOLDERS[0], FOLDERS[0], FOLDERS[0])

    assert {strategy["retrainings"] for strategy in found["strategies"]} == {0}
    assert found["calendars"] is None
    assert "would not have retrained" in found["reason"]


def test_one_folder_is_no_past(place: Place):
    found = replayed(place, "--folders", FOLDERS[0])

    assert found["strategies"] == []
    assert found["reason"] == "there is one version, and a replay needs two"
    assert "There is one version" in place.run("replay", "docs", "--folders", FOLDERS[0]).out


def test_folders_without_an_order_in_time_are_a_day_apart(place: Place, tmp_path: Path):
    for name in ("b", "a"):
        shutil.copytree(HANDBOOK / "billing", tmp_path / name)
        for path in (tmp_path / name).rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000))

    found = replayed(place, "--folders", str(tmp_path / "b"), str(tmp_path / "a"))

    times = [datetime.fromisoformat(version["time"]) for version in found["versions"]]
    assert [version["name"] for version in found["versions"]] == ["b", "a"]
    assert times[1] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (times[1] - times[0]).days == 1


def test_a_folder_that_lies_in_a_work_tree_is_replayed_from_git(place: Place, repository: Path):
    found = replayed(place)

    assert found["origin"] == "git"
    assert [version["time"][:10] for version in found["versions"]] == [
        "2026-03-01",
        "2026-03-02",
        "2026-03-05",
    ]
    (retrained,) = strategies(found)["policy"]["retrained"]
    assert retrained["time"].startswith("2026-03-05")


def test_what_an_earlier_version_had_is_not_parsed_again(
    place: Place, repository: Path, monkeypatch: pytest.MonkeyPatch
):
    parsed: list[str] = []
    parse = Parser.parse_body

    def counted(self: Parser, uri: str, body: Body, trust: str) -> Document:
        parsed.append(uri)
        return parse(self, uri, body, trust)

    monkeypatch.setattr(Parser, "parse_body", counted)

    replayed(place, "--git")

    documents = [path for path in place.docs.rglob("*.*") if path.suffix in {".md", ".txt"}]
    names = [path.relative_to(place.docs).as_posix() for path in documents]
    assert sorted(parsed) == sorted([*names, "billing/failed-payments.md"])


def test_a_git_source_is_replayed_from_its_branch(place: Place, repository: Path):
    source = '[kb.docs.source]\nkind = "git"\nrepository = "docs"\nfolder = "billing"\n'
    place.configure(source)

    found = replayed(place, "--git")

    # The third commit left the folder as it was.
    assert len(found["versions"]) == 2


def test_versions_can_be_left_out(place: Place, repository: Path):
    since = replayed(place, "--git", "--since", "2026-03-02")
    fewer = replayed(place, "--git", "--limit", "2")

    assert [version["time"][:10] for version in since["versions"]] == ["2026-03-02", "2026-03-05"]
    assert [version["time"][:10] for version in fewer["versions"]] == ["2026-03-01", "2026-03-05"]
    told = place.run("replay", "docs", "--limit", "2", "--json").err
    assert "Reading 2 of 3 versions of docs from its history in git." in told


def test_snapshots_are_replayed_where_there_is_no_git(place: Place):
    (place.docs / "parcels.md").write_text(chapter("parcel"), encoding="utf-8")
    place.run("refresh", "docs")

    found = replayed(place)

    assert found["origin"] == "snapshots"
    assert [version["name"] for version in found["versions"]] == ["docs@2", "docs@3"]
    times = [version["time"] for version in found["versions"]]
    assert times == sorted(times)
    assert strategies(found)["hindsight, least mean"]["retrainings"] == 1


def test_snapshots_and_their_folders_say_the_same(place: Place):
    before = place.folder / "before"
    shutil.copytree(place.docs, before)
    (place.docs / "parcels.md").write_text(chapter("parcel"), encoding="utf-8")
    place.run("refresh", "docs")

    by_snapshots = replayed(place, "--snapshots")
    by_folders = replayed(place, "--folders", str(before), str(place.docs))

    # Runs of words cross chunk borders, so how an index cuts them makes no difference.
    met = [strategies(each)["policy"]["met"] for each in (by_snapshots, by_folders)]
    assert met[0] == pytest.approx(met[1], rel=0.01)
    assert met[0] > 0.1


def test_a_replay_writes_nothing(place: Place, repository: Path):
    before = {path for path in place.folder.rglob("*") if ".git" not in path.parts}
    journal = place.history()

    replayed(place)

    assert place.history() == journal
    after = {path for path in place.folder.rglob("*") if ".git" not in path.parts}
    assert {path.name for path in after - before} <= {"journal.db-wal", "journal.db-shm"}


def test_people_see_a_table_and_a_proposal(place: Place):
    out = place.run("replay", "docs", "--folders", *FOLDERS, "--budget", "0.3").out

    assert "hindsight, least worst" in out
    assert "calendars, mean of" in out
    assert "No retraining was needed for a budget of 30.0 %" in " ".join(out.split())


def test_it_is_drawn_where_a_file_is_named(place: Place, tmp_path: Path):
    replayed(place, "--folders", *FOLDERS, "--plot", str(tmp_path / "replay.html"))

    assert "<svg" in (tmp_path / "replay.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--git"], 4, "has no past in git"),
        (["--folders", "no/such/folder", "."], 4, "There is no folder 'no/such/folder'"),
        (["some/folder"], 2, "Write folders behind --folders"),
        (["--folders"], 2, "Write folders behind --folders"),
        (["--folders", ".", "--times", "yesterday"], 2, "Write one date for each folder"),
        (["--folders", ".", "--times", "2026-01-01,2026-01-02"], 2, "each of the 1 folders"),
        (["--folders", ".", ".", "--times", "2026-01-02,2026-01-01"], 2, "oldest first"),
        (["--snapshots", "--plot", "replay.gif"], 2, "must end in one of .png, .svg, .html"),
        (["--snapshots", "--limit", "1"], 2, "--limit"),
    ],
)
def test_what_cannot_be_replayed_is_told(
    place: Place, arguments: list[str], status: int, told: str
):
    done = place.run("replay", "docs", *arguments)

    assert done.status == status
    assert told in done.err


def test_a_knowledge_base_with_several_sources_is_replayed_from_its_snapshots(place: Place):
    sources = "".join(f'[kb.docs.sources.{name}]\npath = "docs"\n' for name in ("a", "b"))
    place.configure(sources)

    assert "has no past in git" in place.run("replay", "docs", "--git").err
    assert replayed(place)["origin"] == "snapshots"


@pytest.mark.parametrize(
    ("count", "limit", "kept"),
    [(3, 3, [0, 1, 2]), (4, 3, [0, 2, 3]), (9, 2, [0, 8]), (0, 2, []), (1, 2, [0])],
    ids=["at-the-limit", "one-over", "first-and-last", "none", "one"],
)
def test_versions_are_thinned_evenly(count: int, limit: int, kept: list[int]):
    assert list(thinned(range(count), limit)) == kept
