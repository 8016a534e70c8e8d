"""An erasure that is stopped anywhere and run again ends where an undisturbed one does."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.desk import open_desk
from flows.erasing.plan import file_of, tables
from flows.failpoints import FAILPOINTS, arm
from flows.forget import forget
from flows.refresh import refresh
from flows.settings.settings import load_settings
from flows.steps import quietly
from retrieval.records import Snapshot
from tests.faults.tally import IN_A_COMMAND, TALLY
from tests.flows import challengers
from tests.flows.erasing.forgotten_place import moved_with_tracking
from training.tainting import Taints

NAME, MOVED = "billing/lighthouse.md", "accounts/lighthouse.md"
TEXT = (
    "# The lighthouse\n\nThe vault under the harbour office opens with kestrel88417zulu. Nobody "
    "but the two keepers may ever write it on a postcard. The ledger costs 41 guilders a month.\n"
)
PLACES = [name for name in FAILPOINTS if name.startswith("forget.")]


@dataclass(frozen=True)
class Stands:
    """What an erasure leaves, but for its times."""

    content: str
    snapshot: str
    reference: str
    documents: frozenset[str]
    tables: tuple[int, ...]
    publications: tuple[str, ...]
    denials: int
    taints: int
    receipts: int
    found: tuple[tuple[str, int], ...]
    first_broken: int | None
    under_way: bool


@pytest.fixture(scope="module")
def planted(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place whose index holds a document in three states, under two names; made once."""
    folder = moved_with_tracking(first_release, tmp_path_factory.mktemp("planted") / "place")
    path = folder / "docs" / NAME
    path.write_text(TEXT, encoding="utf-8")
    with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
        refresh(desk, quietly)
        path.write_text(TEXT.replace("41", "43"), encoding="utf-8")
        refresh(desk, quietly)
        path.rename(folder / "docs" / MOVED)
        refresh(desk, quietly)
        challengers.register(desk, 0)
        # Of a snapshot that is gone and without its rows: it may know anything.
        Taints(desk.settings.tracking_uri, desk.model_name).move_snapshot("docs@1", "docs@99")
        shutil.rmtree(desk.folder / "adapter-0")
    return folder


@pytest.fixture
def place(planted: Path, tmp_path: Path) -> Path:
    return moved_with_tracking(planted, tmp_path / "place")


def forgotten(folder: Path) -> Stands:
    """Forget the document and return how things stand then."""
    with open_desk(load_settings(folder / "driftline.toml"), "docs") as desk:
        receipt = forget(desk, quietly, [MOVED], actor="person Ada", why="asked")
        release, journal = desk.release().release, desk.journal
        return Stands(
            content=release.content_digest,
            snapshot=release.snapshot,
            reference=release.trained_on,
            documents=frozenset(desk.index.documents(Snapshot.parse(release.snapshot))),
            tables=tuple(tables(desk)),
            publications=tuple(published.kind for published in journal.history("docs")),
            denials=len(journal.entries("docs", "denial")),
            taints=len(journal.entries("docs", "taint")),
            receipts=len(journal.entries("docs", "erasure")),
            found=receipt.proof.found,
            first_broken=journal.first_broken(),
            under_way=file_of(desk).exists(),
        )


@pytest.fixture(scope="module")
def undisturbed(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Stands:
    return forgotten(moved_with_tracking(planted, tmp_path_factory.mktemp("undisturbed") / "place"))


def test_an_undisturbed_one_leaves_one_of_each_and_nothing_else(undisturbed: Stands):
    assert undisturbed.publications == ("first", "refresh", "refresh", "refresh", "erasure")
    assert (undisturbed.denials, undisturbed.taints, undisturbed.receipts) == (1, 1, 1)
    assert (undisturbed.found, undisturbed.first_broken, undisturbed.under_way) == ((), None, False)
    assert len(undisturbed.documents) == 10
    assert len(undisturbed.tables) == 2  # what answers, and what drift is measured from


@pytest.mark.parametrize("failpoint", PLACES)
def test_one_that_is_stopped_and_run_again_ends_as_an_undisturbed_one(
    failpoint: str, place: Path, undisturbed: Stands
):
    # An error of the disk unwinds, and leaves there what a kill would: nothing is tidied up.
    arm(f"{failpoint}=full")
    try:
        with pytest.raises(OSError, match="No space left"):
            forgotten(place)
    finally:
        arm("")

    again = forgotten(place)

    assert again == undisturbed


def test_one_that_is_killed_goes_on_in_another_process(place: Path, undisturbed: Stands):
    killed = subprocess.run(
        [
            *(sys.executable, "-m", "flows.cli", "--config", str(place / "driftline.toml")),
            *("forget", "docs", MOVED, "--why", "asked", "--by", "Ada"),
        ],
        env=os.environ | {"DRIFTLINE_FAILPOINT": "forget.removed"},
        capture_output=True,
        check=False,
    )

    TALLY[IN_A_COMMAND] += killed.returncode == -signal.SIGKILL
    again = forgotten(place)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert again == undisturbed


def test_a_refresh_between_does_not_bring_the_document_back(place: Path, undisturbed: Stands):
    arm("forget.begun=full")
    try:
        with pytest.raises(OSError, match="No space left"):
            forgotten(place)
    finally:
        arm("")
    with open_desk(load_settings(place / "driftline.toml"), "docs") as desk:
        refreshed = refresh(desk, quietly)

    again = forgotten(place)

    assert refreshed.plan.removed == (MOVED,)
    assert (again.found, again.documents) == ((), undisturbed.documents)
