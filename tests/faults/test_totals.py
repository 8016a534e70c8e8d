"""How many faults `make test` provokes: as many as were promised, by the tests' own tables."""

from tests.faults import test_crowd, test_disk, test_first_start, test_kills
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
