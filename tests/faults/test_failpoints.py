"""Every failpoint is listed once, is reached in one place, and says what is true there."""

import re
from collections import Counter
from pathlib import Path

import pytest

from flows.failpoints import FAILPOINTS, every_failpoint
from retrieval import failpoints as in_retrieval
from tests.flows.tiny_place import TinyPlace
from training import failpoints as in_training

ROOT = Path(__file__).parents[2]
LISTED = {
    "flows": FAILPOINTS,
    "retrieval": in_retrieval.FAILPOINTS,
    "training": in_training.FAILPOINTS,
}


@pytest.mark.parametrize("package", LISTED)
def test_the_list_is_what_the_code_reaches_each_in_one_place(package: str):
    reached = Counter(
        name
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r'\breach\("([^"]+)"\)', path.read_text())
    )

    assert reached == Counter(list(LISTED[package]))


def test_no_failpoint_is_reached_by_a_name_that_is_worked_out():
    """Else a list could not be checked by reading."""
    calls = [
        f"{path.name}: {call}"
        for package in LISTED
        for path in (ROOT / package).rglob("*.py")
        for call in re.findall(r"\breach\([^)]*\)", path.read_text())
        if not re.fullmatch(r'reach\("[a-z_]+\.[a-z_]+"\)|reach\(name: str\)', call)
    ]

    assert calls == []


def test_there_are_sixty_and_no_name_stands_for_two_places():
    everything = [name for listed in LISTED.values() for name in listed]

    assert len(everything) >= 60
    assert len(set(everything)) == len(everything)
    assert list(every_failpoint()) == everything


def test_each_says_in_a_sentence_what_is_true_there():
    for name, moment in every_failpoint().items():
        assert re.fullmatch(r"[A-Z].{14,}\.", moment), name


def test_the_command_lists_them(tmp_path: Path):
    place = TinyPlace(tmp_path)

    listed = place.run("failpoints", "--json")
    shown = place.run("failpoints")

    assert {each["name"]: each["moment"] for each in listed.json} == every_failpoint()
    assert (listed.status, shown.status) == (0, 0)
    assert "release.published" in shown.out
