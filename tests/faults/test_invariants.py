"""The checker finds nothing in a sound place, and in a damaged one the invariant that broke."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.faults.acting import Act
from tests.faults.damages import DAMAGES, Damage
from tests.faults.harness import Workshop, perform, said
from tests.faults.invariants import INVARIANTS, check_invariants
from tests.faults.place import copied
from tests.faults.scenes import PROMOTED

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def sound(workshop: Workshop) -> Path:
    """A place whose champion was trained, weighed and promoted."""
    return workshop.built(PROMOTED)


@pytest.fixture(scope="module")
def checked(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same place after a check, which has looked at what runs left behind."""
    folder = copied(sound, tmp_path_factory.mktemp("checked") / "place")
    assert perform(Act(folder, ("monitor", "docs"))) == 0, said(folder)
    return folder


@pytest.fixture
def place(sound: Path, tmp_path: Path) -> Path:
    return copied(sound, tmp_path / "place")


def test_a_sound_place_breaks_no_invariant(place: Path):
    assert check_invariants(place) == []


@pytest.mark.parametrize(
    ("invariant", "damage"),
    [
        pytest.param(name, damage, id=f"{name}-{damage.__name__}")
        for name, damages in DAMAGES.items()
        for damage in damages
    ],
)
def test_a_damage_breaks_exactly_its_invariant(place: Path, invariant: str, damage: Damage):
    damage(place)

    broken = check_invariants(place)

    assert {each.invariant.split()[0] for each in broken} == {invariant}, broken
    assert all(each.what for each in broken)


def test_each_of_the_ten_invariants_is_damaged():
    assert [name.split()[0] for name in INVARIANTS] == list(DAMAGES)
    assert len(DAMAGES) == 10


def test_after_upkeep_an_index_of_many_copies_breaks_its_bound(place: Path):
    copies = place / ".driftline" / "index" / "docs.lance" / "data" / "copies.lance"
    copies.write_bytes(b"x" * (1 << 21))

    broken = check_invariants(place, maintained=True)

    assert [each.invariant.split()[0] for each in broken] == ["INV-8"]


def client_and_release_run(folder: Path) -> tuple[MlflowClient, Run]:
    """Return a client, and the run of a publication in a place's MLflow."""
    client = MlflowClient(f"sqlite:///{folder}/.driftline/mlflow.db")
    experiment = client.get_experiment_by_name("driftline-docs")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`driftline.role` = 'release'")
    return client, found[0]


def left_running(folder: Path) -> None:
    client, run = client_and_release_run(folder)
    client.create_run(run.info.experiment_id, tags={"driftline.role": "check"})


def never_shown(folder: Path) -> None:
    client, run = client_and_release_run(folder)
    client.set_tag(run.info.run_id, "driftline.role", "superseded")


def shown_twice(folder: Path) -> None:
    client, run = client_and_release_run(folder)
    twin = client.create_run(run.info.experiment_id, tags=run.data.tags)
    client.set_terminated(twin.info.run_id)


@pytest.mark.parametrize(
    ("invariant", "damage"),
    [("INV-2", never_shown), ("INV-4", shown_twice), ("INV-9", left_running)],
)
def test_after_a_check_mlflow_shows_each_publication_once_and_nothing_as_running(
    checked: Path, tmp_path: Path, invariant: str, damage: Damage
):
    folder = copied(checked, tmp_path / "place")
    before = check_invariants(folder)
    damage(folder)

    broken = check_invariants(folder)

    assert before == []
    assert {each.invariant.split()[0] for each in broken} == {invariant}, broken


def test_right_after_a_kill_what_lags_and_what_is_left_is_no_fault(place: Path):
    (place / ".driftline" / "kb" / "docs" / "vectors.db").write_bytes(b"")

    assert check_invariants(place, at_rest=False) == []
