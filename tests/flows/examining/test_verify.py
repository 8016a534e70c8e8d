"""verify: every wrong bit of a real place is found, named, and told what to do about."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from flows import cli
from flows.desk import Desk, open_desk
from flows.examining.damaged_files import look_at_databases, look_at_journal, look_at_pages
from flows.examining.damaged_index import look_at_index
from flows.examining.damaged_models import look_at_base, look_at_models
from flows.examining.verification import VERIFICATION, Depth, Finding, Notes
from flows.refresh import refresh
from flows.settings.settings import load_settings
from flows.steps import quietly
from flows.verify import verify
from retrieval.errors import IndexCorruptError
from retrieval.records import Snapshot
from tests.flows.challengers import publish, register
from tests.flows.conftest import Ran
from tests.flows.examining.damage import wrong_bit, wrong_bit_in_an_entry
from training.sums import SUMS, keep_sum

FLIPS = 70
HINT = "latest_version_hint.json"  # of Lance: written over and over, and read without


@dataclass(frozen=True)
class Sound:
    """A place of two snapshots whose champion has an adapter, and a page of a check."""

    folder: Path

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        with open_desk(load_settings(self.folder / "driftline.toml"), "docs") as desk:
            yield desk

    @property
    def home(self) -> Path:
        return self.folder / ".driftline"

    @property
    def page(self) -> Path:
        return self.home / "kb" / "docs" / "reports" / "page.html"

    def files_of_the_index(self) -> list[Path]:
        found = (self.home / "index").rglob("*")
        return sorted(path for path in found if path.is_file() and path.name != HINT)

    def files_of_the_model(self) -> list[Path]:
        with self.desk() as desk:
            release = desk.release().release
            folder = desk.registry.folder(release.model_name, release.model_version)
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def found(self) -> list[Finding]:
        """Return what a full look finds, but for the real models, which take seconds to hash."""
        notes = Notes()
        with self.desk() as desk:
            look_at_journal(desk, notes)
            look_at_index(desk, Depth.FULL, notes, lambda _done, _total: None)
            look_at_databases(desk, notes)
            look_at_pages(desk, notes)
            look_at_models(desk, Depth.SUBSET, notes)
        return notes.findings


@pytest.fixture(scope="module")
def sound(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    made = Sound(tmp_path_factory.mktemp("sound") / "place")
    shutil.copytree(first_release, made.folder)
    document = next((made.folder / "docs").rglob("*.md"))
    document.write_text(f"{document.read_text()}\n\n# More\n\nA paragraph more.\n")
    with made.desk() as desk:
        refresh(desk, quietly)
        serving = asdict(desk.release().release)
        model = register(desk, 7)
        parts = ("snapshot", "content_digest", "embedder", "prompt_digest")
        publish(desk, model, **{name: serving[name] for name in parts})
        desk.registry.point(desk.model_name, "champion", model.version, expected=1)
    made.page.parent.mkdir(parents=True)
    made.page.write_text("<p>A page of a check.</p>")
    keep_sum(made.page)
    return made


def run(sound: Sound, *arguments: str, capsys: pytest.CaptureFixture[str]) -> Ran:
    capsys.readouterr()
    status = cli.run(["--config", str(sound.folder / "driftline.toml"), *arguments])
    said = capsys.readouterr()
    return Ran(status, said.out, said.err)


def test_a_sound_place_has_no_finding(sound: Sound):
    assert sound.found() == []


def test_every_wrong_bit_of_the_index_is_found(sound: Sound):
    rng, files = random.Random(1), sound.files_of_the_index()  # noqa: S311 - a place
    missed = []
    for seed in range(FLIPS):
        file = rng.choice(files)
        notes = Notes()
        with wrong_bit(file, seed), sound.desk() as desk:
            look_at_index(desk, Depth.FULL, notes, lambda _done, _total: None)
        if "INDEX_CORRUPT" not in {each.code for each in notes.findings}:
            missed.append((file.name, seed))

    assert missed == []


def test_every_wrong_bit_of_the_champion_as_mlflow_keeps_it_is_found(sound: Sound):
    files = sound.files_of_the_model()
    assert {"adapter_model.safetensors", "MLmodel", "card.md", SUMS} <= {f.name for f in files}
    missed = []
    for seed in range(3 * len(files)):
        file = files[seed % len(files)]
        notes = Notes()
        with wrong_bit(file, seed), sound.desk() as desk:
            look_at_models(desk, Depth.SUBSET, notes)
        if {each.code for each in notes.findings} != {"MODEL_CORRUPT"}:
            missed.append((file.name, seed))

    assert missed == []


def test_every_wrong_bit_of_an_entry_of_the_journal_is_found(sound: Sound):
    missed = []
    for seed in range(FLIPS):
        notes = Notes()
        journal = sound.home / "journal.db"
        with sound.desk() as desk, wrong_bit_in_an_entry(journal, seed) as sequence:
            look_at_journal(desk, notes)
        if [each.place for each in notes.findings] != [f"journal entry {sequence}"]:
            missed.append((seed, sequence))

    assert missed == []


@pytest.mark.parametrize(("digest", "count"), [("", 0), ("0" * 64, 1)], ids=["same", "another"])
def test_a_base_model_that_is_not_the_one_that_answers_is_found(
    sound: Sound, digest: str, count: int
):
    notes = Notes()
    with sound.desk() as desk:
        answering = replace(
            desk.release().release,
            base=desk.settings.model.base,
            base_digest=digest or desk.base.digest,
        )
        look_at_base(desk, answering, notes)

    assert [each.code for each in notes.findings] == ["MODEL_CORRUPT"] * count


@pytest.mark.parametrize("which", ["page", "digest"])
def test_a_page_that_is_not_what_was_written_is_found(sound: Sound, which: str):
    file = sound.page if which == "page" else sound.page.with_name("page.html.sha256")

    with wrong_bit(file, 3):
        [finding] = sound.found()

    assert (finding.code, finding.place) == ("PAGE_CORRUPT", str(sound.page))


def test_a_damaged_database_of_mlflow_is_found_and_its_models_are_not_asked_of_it(sound: Sound):
    file = sound.home / "mlflow.db"
    before = file.read_bytes()

    file.write_bytes(before[:100] + bytes(3_000) + before[3_100:])
    with sound.desk() as desk:
        found = verify(desk, quietly, depth=Depth.SUBSET)
    file.write_bytes(before)

    assert [(each.code, each.place) for each in found.findings] == [("DATABASE_CORRUPT", str(file))]
    assert "models" not in found.checked


def test_a_damaged_row_names_its_document_what_answers_and_the_command(sound: Sound):
    data = max(
        (sound.home / "index" / "docs.lance" / "data").iterdir(), key=lambda p: p.stat().st_size
    )
    told = []
    for seed in range(40):
        with wrong_bit(data, seed):
            told += [each for each in sound.found() if each.what.startswith("document ")]
        if told:
            break

    assert told[0].place.startswith("docs@")
    assert ".md" in told[0].what
    assert {each.cure for each in told} <= {
        "`driftline verify docs --repair`",
        "none needed: `driftline maintain docs` removes it once it is kept no more",
    }


def test_a_kept_snapshot_that_is_gone_is_found(sound: Sound):
    with sound.desk() as desk:
        first = desk.journal.history("docs")[0].release.snapshot
        file = desk.index.folders.versions(1)[Snapshot.parse(first).version]
    before = file.read_bytes()

    file.unlink()
    found = sound.found()
    file.write_bytes(before)

    assert ("SNAPSHOT_MISSING", first) in {(each.code, each.place) for each in found}


def test_a_full_verification_looks_at_everything_and_says_so_in_the_journal(
    sound: Sound, capsys: pytest.CaptureFixture[str]
):
    ran = run(sound, "verify", "docs", "--full", "--json", capsys=capsys)

    assert ran.status == 0, ran.out
    told = ran.json
    assert (told["intact"], told["findings"], told["depth"]) == (True, [], "full")
    assert told["checked"].keys() == {
        "databases", "files", "journal", "models", "pages", "rows", "snapshots",
    }  # fmt: skip
    with sound.desk() as desk:
        entry = desk.journal.last("docs", VERIFICATION)
        assert entry is not None
        assert (entry.key, entry.payload["found"]) == (told["release"], 0)
        assert entry.payload["checked"] == told["checked"]


@pytest.mark.parametrize("depth", ["--quick", "--subset"])
def test_less_than_full_finds_a_damaged_manifest_and_exits_5(
    sound: Sound, depth: str, capsys: pytest.CaptureFixture[str]
):
    manifest = min((sound.home / "index" / "docs.lance" / "_versions").glob("*.manifest"))

    with wrong_bit(manifest, 5):
        ran = run(sound, "verify", "docs", depth, capsys=capsys)

    assert ran.status == 5
    assert "INDEX_CORRUPT" in ran.out
    assert "verify" in ran.out


def test_quick_reads_no_data_file_and_no_model(sound: Sound):
    with sound.desk() as desk:
        found = verify(desk, quietly, depth=Depth.QUICK)

    assert found.findings == ()
    assert found.checked["rows"] == 0
    assert found.checked.keys() == {"files", "journal", "rows", "snapshots"}


def test_a_place_without_a_release_is_no_damage(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "driftline.toml").write_text('[kb.docs.source]\npath = "docs"\n')

    with Sound(tmp_path).desk() as desk:
        found = verify(desk, quietly)

    assert found.findings == ()
    assert "no release yet" in found.remarks[0]


def test_what_a_writer_does_meanwhile_is_looked_at_again(
    sound: Sound, monkeypatch: pytest.MonkeyPatch
):
    # The first look finds something, and a writer was at work: only the second one counts.
    looks: list[Notes] = []

    def look(desk: Desk, perform: Any, depth: Depth) -> Notes:
        notes = Notes()
        if not looks:
            notes.found("INDEX_CORRUPT", "docs@1", "gone", answers="", cure="")
            fence = desk.journal.take_lease(
                "docs", holder="{}", now=0.0, expected=desk.journal.lease("docs")
            )
            assert fence is not None
            desk.journal.free_lease(fence)
        looks.append(notes)
        return notes

    monkeypatch.setattr("flows.verify._look", look)
    with sound.desk() as desk:
        found = verify(desk, quietly)

    assert len(looks) == 2
    assert found.findings == ()


def test_a_search_says_the_command_where_nothing_else_can_be_read(sound: Sound):
    manifest = min((sound.home / "index" / "docs.lance" / "_versions").glob("*.manifest"))
    before = manifest.read_bytes()

    manifest.write_bytes(b"")
    with sound.desk() as desk, pytest.raises(IndexCorruptError, match="verify docs --repair"):
        desk.index.count(Snapshot.parse(desk.release().release.snapshot))
    manifest.write_bytes(before)
