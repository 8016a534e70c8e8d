"""How many faults `make test` provokes: as many as were promised, by the tests' own tables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import tally, test_crowd, test_disk, test_first_start, test_kills
from tests.retrieval import test_crash
from tests.retrieval.crashing_refresh import SCENES


def test_there_are_a_hundred_and_twenty_kills_at_failpoints_and_a_hundred_by_chance():
    inside_a_refresh = len(SCENES) * len(test_crash.FAILPOINTS)
    by_chance = len(SCENES) * len(test_crash.CHANCES)

    assert inside_a_refresh + len(test_kills.NAMES) >= 120
    assert by_chance + len(test_kills.CHANCES) >= 100


def test_there_are_thirty_disks_and_crowds_of_four_and_eight():
    assert test_disk.SIZES >= 30
    assert test_crowd.RUNS == test_first_start.PROCESSES_AT_ONCE == 4
    assert (test_crowd.READERS, test_crowd.REFRESHES) == (8, 20)


ENOUGH = {
    tally.AT_FAILPOINTS: 60,
    tally.IN_A_REFRESH: 60,
    tally.IN_A_REFRESH_BY_CHANCE: 100,
    tally.FULL_DISKS: 30,
    tally.RUNS_AT_ONCE: 4,
    tally.ANSWERS: 20,
    tally.SLEEPERS: 1,
    tally.FIRST_STARTS: 4,
    tally.FIRST_STARTS_ON_A_SERVER: 4,
}


def test_what_is_promised_is_enough_and_the_two_kinds_of_kills_add_up():
    assert tally.short_of(ENOUGH) == []


@pytest.mark.parametrize("kind", ENOUGH)
def test_one_fault_less_than_promised_is_told(kind: str):
    (told,) = tally.short_of(ENOUGH | {kind: ENOUGH[kind] - 1})

    assert "at least" in told


@pytest.mark.parametrize("kind", [tally.FULL_DISKS, tally.FIRST_STARTS_ON_A_SERVER])
def test_what_a_machine_does_not_allow_at_all_is_not_missed(kind: str):
    assert tally.short_of(ENOUGH | {kind: 0}) == []


SUITE = """
from tests.faults.tally import TALLY

def test_one_kill():
    TALLY["kills at failpoints"] += {count}

def test_another():
    TALLY.update({{"kills by chance": 100, "runs at once": 4, "answers beside refreshes": 20,
                  "sleepers that woke": 1, "first starts at once on SQLite": 4}})
"""


@pytest.mark.parametrize(
    ("count", "asked", "status", "missing"),
    [
        pytest.param(120, [], 0, False, id="whole-and-as-promised"),
        pytest.param(119, [], 1, True, id="whole-and-one-kill-short"),
        pytest.param(119, ["test_suite.py"], 0, False, id="one-file"),
        pytest.param(119, ["-k", "another"], 0, False, id="some-deselected"),
    ],
)
def test_a_whole_run_that_provokes_less_than_promised_fails(
    tmp_path: Path, count: int, asked: list[str], status: int, *, missing: bool
):
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    (tmp_path / "test_suite.py").write_text(SUITE.format(count=count))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *asked]
    root = str(Path(__file__).parents[2])

    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == status, ran.stdout
    assert ("FAULTS MISSING: 119 deterministic kills" in ran.stdout) is missing
