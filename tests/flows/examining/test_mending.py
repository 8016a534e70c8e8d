"""A newest version that cannot be read: readers go on, and the next refresh puts it right alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import failpoints
from flows.desk import open_desk
from flows.examining.going_back import REPAIR
from flows.examining.quarantine import QUARANTINE
from flows.examining.verification import Depth
from flows.refresh import refresh
from flows.release import Release
from flows.settings.settings import load_settings
from flows.steps import quietly
from flows.verify import verify
from retrieval.errors import IndexCorruptError
from retrieval.records import Snapshot
from tests.flows.conftest import Place

pytestmark = pytest.mark.usefixtures("warm")

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "zero-byte": lambda _: b"",
    "garbage": lambda content: bytes(byte ^ 0x5A for byte in content),
}
TARGET = '[notify.targets.team]\nurl_file = "team.url"\n'


class StoppedError(Exception):
    """The run came as far as a failpoint."""


@pytest.fixture(scope="module")
def third_release(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases, each with one document edited."""
    folder = tmp_path_factory.mktemp("third") / "place"
    shutil.copytree(first_release, folder)
    document = min((folder / "docs").rglob("*.md"))
    for edition in ("second", "third"):
        document.write_text(f"{document.read_text()}\n\n# The {edition}\n\nOf this edition.\n")
        with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
            refresh(desk, quietly)
    return folder


@pytest.fixture
def place(third_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(third_release, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


def releases(place: Place) -> list[Release]:
    with place.desk() as desk:
        return [each.release for each in desk.journal.history("docs")]


def manifest_of(place: Place, release: Release) -> Path:
    with place.desk() as desk:
        at = Snapshot.parse(release.snapshot)
        found: Path = desk.index.folders.versions(at.generation)[at.version]
        return found


def damage_newest(place: Place, how: Callable[[bytes], bytes]) -> Path:
    file = manifest_of(place, releases(place)[-1])
    file.write_bytes(how(file.read_bytes()))
    return file


def found_by(place: Place) -> str:
    ran = place.run("search", "docs", "invoice", "--json")
    assert ran.status == 0, ran.err
    return str(ran.json["release"])


@pytest.mark.parametrize("how", DAMAGES)
def test_readers_go_on_and_the_next_refresh_mends_what_cannot_be_read(place: Place, how: str):
    _, second, third = releases(place)
    file = damage_newest(place, DAMAGES[how])
    bad = file.read_bytes()

    meanwhile = found_by(place)
    refreshed = place.run("refresh", "docs", "--json")

    assert meanwhile == second.id
    assert refreshed.status == 0, refreshed.err
    assert found_by(place) == third.id
    *_, mended, now = releases(place)
    assert (mended.id, mended.content_digest) == (second.id, second.content_digest)
    assert now.content_digest == third.content_digest
    assert not file.exists()
    assert file.with_name(f"{file.name}.quarantine").read_bytes() == bad
    assert [each["kind"] for each in place.history()[-2:]] == [REPAIR, "refresh"]
    with place.desk() as desk:
        told = desk.journal.last("docs", QUARANTINE)
        assert told is not None
        assert told.key == third.snapshot
        assert verify(desk, quietly, depth=Depth.FULL).findings == ()


def test_no_name_of_a_snapshot_comes_to_stand_for_another(place: Place):
    published = releases(place)
    damage_newest(place, DAMAGES["zero-byte"])
    min(place.docs.rglob("*.md")).write_text("# Another\n\nNothing of it is as it was.\n")

    place.run("refresh", "docs")
    asked = place.run("search", "docs", "invoice", "--as-of", published[-1].id, "--json")

    names = [each.snapshot for each in releases(place)]
    assert len(set(names)) == len(names) == len(published) + 2
    assert asked.status != 0
    assert asked.json["error"]["code"] == "SNAPSHOT_MISSING"


@pytest.mark.parametrize("at", ["repair.restored", "repair.aside", "repair.mended"])
def test_stopped_on_the_way_readers_go_on_and_the_next_refresh_ends_the_same(
    place: Place, at: str, monkeypatch: pytest.MonkeyPatch
):
    _, second, third = releases(place)
    damage_newest(place, DAMAGES["garbage"])

    def stop(name: str) -> None:
        if name == at:
            raise StoppedError(name)

    with monkeypatch.context() as patched, place.desk() as desk:
        for module in ("going_back", "mending"):
            patched.setattr(f"flows.examining.{module}.reach", stop)
        with pytest.raises(StoppedError):
            refresh(desk, quietly)
    meanwhile = found_by(place)
    place.run("refresh", "docs")

    assert meanwhile == second.id
    assert found_by(place) == third.id
    assert [each.id for each in releases(place)[3:]] == [second.id, third.id]
    assert failpoints.FAILPOINTS[at]


def test_people_are_told_what_was_mended(place: Place):
    (place.folder / "team.url").write_text("json://127.0.0.1:9")
    place.configure((place.folder / "driftline.toml").read_text() + TARGET)
    _, second, third = releases(place)
    damage_newest(place, DAMAGES["truncated"])

    with place.desk() as desk:
        refresh(desk, quietly)
        waiting = desk.journal.waiting()

    [told] = [each.payload["notice"]["sentence"] for each in waiting if "notice" in each.payload]
    assert f"taken back to release {second.id}" in told
    assert f"{third.snapshot} is damaged" in told


def test_where_no_version_before_is_whole_one_command_is_named_and_nothing_is_moved(place: Place):
    files = [manifest_of(place, each) for each in releases(place)]
    for file in files:
        file.write_bytes(b"")
    with place.desk() as desk:
        with pytest.raises(IndexCorruptError, match="driftline verify docs --repair"):
            refresh(desk, quietly)
        assert len(desk.journal.history("docs")) == 3

    ran = place.run("search", "docs", "invoice")

    assert ran.status == 5
    assert "driftline verify docs --repair" in ran.err
    assert all(file.exists() for file in files)


def test_what_a_person_froze_is_not_mended_over(place: Place):
    _, second, _ = releases(place)
    assert place.run("rollback", "docs", second.id, "--by", "Ada").status == 0
    frozen = releases(place)
    damage_newest(place, DAMAGES["zero-byte"])

    ran = place.run("refresh", "docs", "--json")

    assert ran.json["error"]["code"] == "FROZEN"
    assert releases(place) == frozen
