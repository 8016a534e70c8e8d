"""The checker finds nothing in a sound place, and in a damaged one the invariant that broke."""

from pathlib import Path

import pytest

from tests.faults.damages import DAMAGES, Damage
from tests.faults.harness import Workshop
from tests.faults.invariants import INVARIANTS, check_invariants
from tests.faults.place import copied
from tests.faults.scenes import PROMOTED

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def sound(workshop: Workshop) -> Path:
    """A place whose champion was trained, weighed and promoted."""
    return workshop.built(PROMOTED)


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


def test_right_after_a_kill_what_lags_and_what_is_left_is_no_fault(place: Path):
    (place / ".driftline" / "kb" / "docs" / "vectors.db").write_bytes(b"")

    assert check_invariants(place, at_rest=False) == []
