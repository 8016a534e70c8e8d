"""Every kind of file of a place, damaged: a full look tells it, or a list says why it need not."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from flows.checking.kept_report import MEASURED, KeptReport, keep
from flows.desk import Desk, open_desk
from flows.erasing.erasures import ERASURE
from flows.erasing.proof import Proof
from flows.erasing.receipt import Receipt, keep_receipt
from flows.errors import FlowError
from flows.examining.damaged_files import (
    look_at_databases,
    look_at_journal,
    look_at_measurement,
    look_at_pages,
    look_at_receipts,
)
from flows.examining.damaged_index import look_at_index
from flows.examining.damaged_models import look_at_models
from flows.examining.damaged_trainings import look_at_trainings
from flows.examining.verification import Depth, Finding, Notes
from flows.refresh import refresh
from flows.settings.settings import load_settings
from flows.steps import quietly
from monitors.drift import unmeasured
from retrieval.errors import RetrievalError
from tests.flows.challengers import adapter, publish, register
from tests.training.builders import SMALL, text_row, training_set
from training.errors import TrainingError
from training.examples.example_files import examples_digest, write_examples
from training.fitting.checkpoints import Checkpoints, Progress, TrainingKey
from training.records import BaseModel
from training.sums import keep_sum

HARMLESS = {
    "index/*/latest_version_hint.json": "Lance writes it over and over, and reads without it",
    "mlartifacts/*": "a copy that nothing names: MLflow's folders, whose files are under model/",
    "kb/docs/adapter-7/*": "left by this test's own builder; the registry has a copy",
    "kb/docs/*.db": "a cache; a byte that is not of SQLite's own structure is at most work again",
    "mlflow.db": "rows of MLflow have no digest; what is served by them is held against releases",
    "*journal.db": "unused bytes and the leases; each entry is hashed, and swept in test_verify",
    "*-wal": "frames with checksums: SQLite leaves out what does not fit",
    "*-shm": "SQLite makes it anew",
    "*.lock": "nothing is in it",
    "*reserve*": "room to be let go of on a full disk; nothing is in it",
    "kb/docs/trainings/*/examples/examples.json": "its counts of rows are for people",
    "kb/docs/trainings/*/step-*/MANIFEST.json": "tokens and seconds so far are for people",
    "kb/docs/trainings/*/driftline.json": "tokens and seconds are for people",
}
"""Where a single wrong byte may go untold, and why that is no loss."""
HARMLESS_CUT = {
    "index/*/latest_version_hint.json": HARMLESS["index/*/latest_version_hint.json"],
    "mlartifacts/*": HARMLESS["mlartifacts/*"],
    "kb/docs/adapter-7/*": HARMLESS["kb/docs/adapter-7/*"],
    "*-wal": HARMLESS["*-wal"],
    "*-shm": HARMLESS["*-shm"],
    "*.lock": HARMLESS["*.lock"],
    "*reserve*": HARMLESS["*reserve*"],
}
"""What may be cut to half untold."""


@dataclass(frozen=True)
class Whole:
    """A place with something of every kind."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / ".driftline"

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        with open_desk(load_settings(self.folder / "driftline.toml"), "docs") as desk:
            yield desk

    def files(self) -> dict[str, Path]:
        """Return every file of the place, and of the model, which lies beside the first release."""
        with self.desk() as desk:
            release = desk.release().release
            model = desk.registry.folder(release.model_name, release.model_version)
        return {
            f"{prefix}{path.relative_to(folder).as_posix()}": path
            for prefix, folder in (("", self.home), ("model/", model))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def told(self) -> list[Finding] | str:
        """Return what a full look finds, but for the real models; or the code of an error."""
        notes = Notes()
        try:
            with self.desk() as desk:
                look_at_journal(desk, notes)
                sound = look_at_databases(desk, notes)
                look_at_pages(desk, notes)
                look_at_measurement(desk, notes)
                look_at_receipts(desk, notes)
                look_at_trainings(desk, Depth.FULL, notes)
                if sound:
                    look_at_models(desk, Depth.SUBSET, notes)
                look_at_index(desk, Depth.FULL, notes, lambda _done, _total: None)
        except (FlowError, RetrievalError, TrainingError) as error:
            return error.code
        return notes.findings


@pytest.fixture(scope="module")
def whole(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    made = Whole(tmp_path_factory.mktemp("whole") / "place")
    shutil.copytree(first_release, made.folder)
    document = next((made.folder / "docs").rglob("*.md"))
    document.write_text(f"{document.read_text()}\n\n# More\n\nA paragraph more.\n")
    with made.desk() as desk:
        refresh(desk, quietly)
        release = desk.release().release
        model = register(desk, 7)
        parts = ("snapshot", "content_digest", "embedder", "prompt_digest")
        publish(desk, model, **{name: getattr(release, name) for name in parts})
        desk.registry.point(desk.model_name, "champion", model.version, expected=1)
        write_page(desk)
        keep(desk.folder / MEASURED, KeptReport("this", unmeasured("docs@1", "docs@2")))
        write_receipt(desk)
        write_training(desk)
    return made


def write_page(desk: Desk) -> None:
    page = desk.folder / "reports" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>A page of a check.</p>")
    keep_sum(page)


def write_receipt(desk: Desk) -> None:
    proof = Proof(files=1, bytes=2, kinds=(("text", 1),), found=(), unread=())
    release = desk.release().release
    receipt = Receipt(
        id="e1", kb="docs", time=desk.now, actor="Ada", why="asked for", documents=1, chunks=1,
        release=release.id, snapshot=release.snapshot, withdrawn=(), snapshots=(), tainted=(),
        champion_tainted=False, proof=proof, out_of_reach=("backups",),
    )  # fmt: skip
    keep_receipt(desk, receipt)
    payload = {**receipt.told, "releases": []}
    desk.journal.append("docs", ERASURE, payload, time=desk.now, key="e1")


def write_training(desk: Desk) -> None:
    """Rows, a finished adapter, and a checkpoint of another step beside it."""
    folder, base = desk.folder / "trainings" / "0123", BaseModel("base", desk.folder, "b" * 64)
    rows = training_set([text_row("one")])
    rows = replace(rows, digest=examples_digest(rows, SMALL))
    write_examples(rows, folder / "examples", config=SMALL)
    adapter(folder / "adapter", base, 3)

    def fill(step: Path) -> None:
        adapter(step, base, 4)
        (step / "optimiser.safetensors").write_bytes(b"the moments of each weight")

    key = TrainingKey(base="b", examples="e", config="c", start="")
    Checkpoints(folder / "adapter", key, kept=2).write(Progress(4, 40, 2.0), fill)


def flipped(content: bytes) -> bytes:
    at = random.Random(len(content)).randrange(len(content))  # noqa: S311 - a place, no secret
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def untold(whole: Whole, damage: Callable[[bytes], bytes]) -> list[str]:
    """Return the files whose damage a full look does not tell."""
    missed = []
    for name, file in whole.files().items():
        if not (before := file.read_bytes()):
            continue
        file.write_bytes(damage(before))
        try:
            missed += [] if whole.told() else [name]
        finally:
            file.write_bytes(before)
    return missed


def test_a_whole_place_has_no_finding_and_something_of_every_kind(whole: Whole):
    assert whole.told() == []
    kinds = {
        "journal.db", "journal.head", "kb/docs/measured.json", "mlflow.db",
        "index/docs.lance/data/*", "index/docs.lance/_versions/*",
        "index/docs.lance/_transactions/*", "index/docs.seal", "model/*.safetensors",
        "model/*adapter_config.json", "model/SHA256SUMS", "model/MLmodel",
        "kb/docs/reports/page.html", "kb/docs/reports/page.html.sha256", "kb/docs/erasures/*.md",
        "kb/docs/erasures/*.json", "kb/docs/trainings/*/examples.parquet",
        "kb/docs/trainings/*/examples.json", "kb/docs/trainings/*/adapter_config.json",
        "kb/docs/trainings/*/optimiser.safetensors", "kb/docs/trainings/*/MANIFEST.json",
    }  # fmt: skip
    names = whole.files()
    assert {kind for kind in kinds if not any(fnmatch(name, kind) for name in names)} == set()


@pytest.mark.parametrize(
    ("damage", "allowed"), [(flipped, HARMLESS), (cut, HARMLESS_CUT)], ids=["flipped", "cut"]
)
def test_every_damaged_file_is_told_or_is_on_the_list(
    whole: Whole, damage: Callable[[bytes], bytes], allowed: dict[str, str]
):
    missed = untold(whole, damage)

    unexplained = [each for each in missed if not any(fnmatch(each, name) for name in allowed)]
    assert unexplained == []
    assert whole.told() == []  # all of it was put back


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("examples/examples.parquet", "TRAINING_CORRUPT"),
        ("adapter/adapter_model.safetensors", "TRAINING_CORRUPT"),
        ("adapter.work/step-000004/optimiser.safetensors", "TRAINING_CORRUPT"),
        ("adapter.work/step-000004/MANIFEST.json", "TRAINING_CORRUPT"),
    ],
)
@pytest.mark.parametrize("depth", [Depth.SUBSET, Depth.FULL])
def test_what_a_training_left_names_its_folder_and_that_it_may_be_removed(
    whole: Whole, name: str, code: str, depth: Depth
):
    file = whole.home / "kb" / "docs" / "trainings" / "0123" / name
    before, notes = file.read_bytes(), Notes()

    file.write_bytes(cut(before))
    with whole.desk() as desk:
        look_at_trainings(desk, depth, notes)
    file.write_bytes(before)

    [finding] = notes.findings
    assert (finding.code, finding.place) == (code, str(file.parent))
    assert "remove it; `driftline retrain docs`" in finding.cure


@pytest.mark.parametrize(
    "name", ["examples/examples.json", "adapter.work/step-000004/MANIFEST.json"]
)
def test_what_a_killed_run_never_finished_is_no_damage(whole: Whole, name: str):
    file = whole.home / "kb" / "docs" / "trainings" / "0123" / name
    before, notes = file.read_bytes(), Notes()

    file.unlink()
    with whole.desk() as desk:
        look_at_trainings(desk, Depth.FULL, notes)
    file.write_bytes(before)

    assert notes.findings == []


def test_a_receipt_that_does_not_say_what_the_journal_says_is_told(whole: Whole):
    file = whole.home / "kb" / "docs" / "erasures" / "e1.md"
    before = file.read_text()

    file.write_text(before.replace("asked for", "no reason"))
    told = whole.told()
    file.write_text(before)

    assert [(each.code, each.place) for each in told if isinstance(each, Finding)] == [
        ("RECEIPT_CORRUPT", str(file))
    ]
