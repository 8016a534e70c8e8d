"""verify --repair: the newest that is whole answers, or the index is made anew; told in history."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from flows.desk import Desk, open_desk
from flows.errors import BusyError, NothingWholeError
from flows.examining.going_back import REPAIR
from flows.examining.quarantine import QUARANTINE
from flows.examining.repair import repair
from flows.examining.standby import with_a_whole_model
from flows.examining.verification import Depth
from flows.journal import lease
from flows.refresh import refresh
from flows.settings.settings import load_settings
from flows.steps import quietly
from flows.verify import verify
from retrieval.errors import IndexCorruptError
from retrieval.records import Snapshot
from tests.flows.challengers import alias_of, damage, publish, register
from tests.flows.conftest import Place
from tests.flows.examining.damage import wrong_bit
from training.errors import ModelCorruptError

MORE = "\n\n# More\n\nA paragraph that only the second edition has.\n"


@pytest.fixture(scope="module")
def second_release(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first release, and a second one with an edited document; made once, copied for each."""
    folder = tmp_path_factory.mktemp("second") / "place"
    shutil.copytree(first_release, folder)
    document = min((folder / "docs").rglob("*.md"))
    document.write_text(document.read_text() + MORE)
    with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
        refresh(desk, quietly)
    return folder


@pytest.fixture
def place(second_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(second_release, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


def edited(place: Place) -> Path:
    return min(place.docs.rglob("*.md"))


def manifest(desk: Desk, snapshot: str) -> Path:
    return desk.index.folders.versions(1)[Snapshot.parse(snapshot).version]


def snapshots(desk: Desk) -> list[str]:
    return [each.release.snapshot for each in desk.journal.history("docs")]


def above(snapshot: str) -> str:
    """Return the name of the version after one: what was named once is never named again."""
    at = Snapshot.parse(snapshot)
    return str(replace(at, version=at.version + 1))


def data_of_second(place: Place) -> Path:
    """Return the data file that the second release added: the smaller one."""
    data = (place.folder / ".driftline" / "index" / "docs.lance" / "data").iterdir()
    return min(data, key=lambda path: path.stat().st_size)


def data_of_both(place: Place) -> Path:
    data = (place.folder / ".driftline" / "index" / "docs.lance" / "data").iterdir()
    return max(data, key=lambda path: path.stat().st_size)


def test_what_is_whole_stays_as_it_is(place: Place):
    with place.desk() as desk:
        before = snapshots(desk)

        done = repair(desk, quietly)

        assert (done.said, done.published, done.anew) == ((), None, False)
        assert snapshots(desk) == before


@pytest.mark.parametrize("content", [b"", b"half a manifest"], ids=["empty", "torn"])
def test_a_damaged_manifest_of_what_answers_gives_way_to_the_release_before(
    place: Place, content: bytes
):
    with place.desk() as desk:
        _, second = snapshots(desk)
        manifest(desk, second).write_bytes(content)
        release = desk.journal.history("docs")[0].release

    with place.desk() as desk:
        done = repair(desk, quietly)

        assert done.published is not None
        assert (done.published.kind, done.published.release.id) == (REPAIR, release.id)
        assert snapshots(desk)[-1] == above(second)
        assert len(done.aside) == 1
        looked = verify(desk, quietly, depth=Depth.QUICK)
        assert looked.findings == ()
        assert any(remark.startswith(f"{second} was damaged") for remark in looked.remarks)
    assert place.run("search", "docs", "invoice", "--json").status == 0
    assert place.history()[-1]["kind"] == "repair"


def test_rows_that_are_damaged_in_what_answers_alone_give_way_and_the_next_refresh_goes_on(
    place: Place,
):
    with place.desk() as desk:
        before = desk.journal.history("docs")
    data_of_second(place).write_bytes(b"")

    with place.desk() as desk:
        done = repair(desk, quietly)
        outcome = refresh(desk, quietly)

        assert done.published is not None
        assert done.published.release.content_digest == before[0].release.content_digest
        assert outcome.published.release.content_digest == before[1].release.content_digest
        assert outcome.plan.edited == (edited(place).relative_to(place.docs).as_posix(),)
        snapshot = Snapshot.parse(desk.release().release.snapshot)
        assert "only the second edition" in "".join(
            desk.index.chunk_table(snapshot)["text"].to_pylist()
        )


def test_where_no_release_is_whole_the_index_is_made_anew_from_the_documents(place: Place):
    with place.desk() as desk:
        truth = desk.release().release
    data_of_both(place).write_bytes(b"")

    repaired = place.run("verify", "docs", "--full", "--repair", "--json")
    refreshed = place.run("refresh", "docs", "--json")

    assert repaired.status == 5
    assert repaired.json["repaired"]["anew"]
    assert "driftline refresh docs" in repaired.json["repaired"]["said"][0]
    assert refreshed.status == 0, refreshed.err
    with place.desk() as desk:
        now = desk.release().release
        assert (now.snapshot, now.content_digest) == ("docs@2.2", truth.content_digest)
        assert now.id == truth.id
        assert verify(desk, quietly, depth=Depth.SUBSET).release == truth.id


def test_repairing_again_ends_the_same(place: Place):
    data_of_both(place).write_bytes(b"")

    with place.desk() as desk:
        first = repair(desk, quietly)
    with place.desk() as desk:
        second = repair(desk, quietly)

    assert first == second


def test_an_index_can_be_given_up_by_hand(place: Place):
    ran = place.run("verify", "docs", "--quick", "--repair", "--anew", "--json")
    refreshed = place.run("refresh", "docs", "--json")

    assert ran.json["repaired"]["anew"]
    assert refreshed.json["rebuild"]
    assert refreshed.json["embedded"] == 0


def test_anew_without_repair_is_a_mistake(place: Place):
    assert place.run("verify", "docs", "--anew").status == 2


def test_an_index_from_an_older_backup_answers_with_what_it_has(place: Place):
    with place.desk() as desk:
        _, second = snapshots(desk)
        manifest(desk, second).unlink()

    with place.desk() as desk:
        with pytest.raises(IndexCorruptError, match="older than the journal"):
            refresh(desk, quietly)
        done = repair(desk, quietly)
        outcome = refresh(desk, quietly)

        assert done.published is not None
        assert done.published.release.snapshot == above(second)
        assert outcome.is_new


def test_a_damaged_champion_gives_way_to_the_version_before(place: Place):
    with place.desk() as desk:
        serving = asdict(desk.release().release)
        adopted = register(desk, 3)
        parts = ("snapshot", "content_digest", "embedder", "base", "prompt_digest", "base_digest")
        same = {name: serving[name] for name in parts}
        publish(desk, replace(adopted, base_digest=serving["base_digest"]), **same)
        desk.registry.point(desk.model_name, "champion", adopted.version, expected=1)
        damage(adopted)

        done = repair(desk, quietly)

        assert done.published is not None
        release = done.published.release
        assert (release.model_version, release.snapshot) == (1, serving["snapshot"])
        assert alias_of(desk) == 1
        assert f"version {adopted.version} is damaged" in done.published.reason


def test_where_no_model_is_whole_nothing_is_published(place: Place):
    with place.desk() as desk:
        before = desk.release()
        folder = desk.registry.folder(desk.model_name, 1)
        with (
            wrong_bit(folder / "MLmodel", 1),  # put back: every copy of the place shares it
            pytest.raises(NothingWholeError, match="driftline retrain docs --force"),
        ):
            repair(desk, quietly)

        assert desk.release() == before


def test_a_repair_waits_for_the_writer(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.examining.repair.PATIENCE_SECONDS", 0.0)
    with place.desk() as desk, lease.hold(desk.journal, "docs"), pytest.raises(BusyError):
        repair(desk, quietly)


def test_a_search_is_answered_by_an_earlier_release_and_says_which(
    place: Place, caplog: pytest.LogCaptureFixture
):
    with place.desk() as desk:
        first, second = desk.journal.history("docs")
    data_of_second(place).write_bytes(b"")

    found = place.run("search", "docs", "invoice", "--json")
    asked = place.run("search", "docs", "invoice", "--as-of", second.release.id, "--json")

    assert found.status == 0, found.err
    assert found.json["release"] == first.release.id
    assert "driftline verify docs --repair" in caplog.text
    assert asked.status == 5
    assert asked.json["error"]["code"] == "INDEX_CORRUPT"


def test_a_search_of_what_cannot_be_read_at_all_is_one_sentence(place: Place):
    data_of_both(place).write_bytes(b"")

    ran = place.run("search", "docs", "invoice")

    assert ran.status == 5
    assert "driftline verify docs --repair" in ran.err
    assert "Traceback" not in ran.err


def test_a_commit_that_cannot_be_read_and_that_nobody_was_told_of_is_set_aside_and_told(
    place: Place,
):
    with place.desk() as desk:
        newest = desk.index.newest(Snapshot.parse(desk.release().release.snapshot))
        table = desk.index.tables.writable(newest)
        table.delete("false")  # a version that no release names, as of a run that was killed
        unpublished = desk.index.newest(newest)
        assert unpublished != newest
        manifest(desk, str(unpublished)).write_bytes(b"")

    outcome = place.run("refresh", "docs", "--json")

    assert outcome.status == 0, outcome.err
    with place.desk() as desk:
        entry = desk.journal.last("docs", QUARANTINE)
        assert entry is not None
        assert entry.payload["snapshot"] == str(unpublished)
        assert entry.payload["file"].endswith(".quarantine")
        remarks = verify(desk, quietly, depth=Depth.QUICK).remarks
        assert any("set aside before" in remark for remark in remarks)


def test_an_answer_comes_from_an_earlier_release_whose_model_is_whole(place: Place):
    with place.desk() as desk:
        earlier = desk.release()
        serving = asdict(earlier.release)
        model = register(desk, 4)
        parts = ("snapshot", "content_digest", "embedder", "prompt_digest")
        published = publish(desk, model, **{name: serving[name] for name in parts})
        error = ModelCorruptError("damaged")

        assert with_a_whole_model(desk, published, error) == earlier
        damage(model)
        with pytest.raises(ModelCorruptError):
            with_a_whole_model(desk, earlier, error)
