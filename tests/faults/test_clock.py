"""A clock that jumps a day ahead or back between two runs changes nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.acting import Act, looked
from tests.faults.harness import SIGKILLED, Workshop, perform, recovered, said
from tests.faults.tally import CLOCKS, TALLY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DAYS = [pytest.param(1, id="a-day-ahead"), pytest.param(-1, id="a-day-back")]


@pytest.mark.parametrize("days", DAYS)
def test_a_run_that_died_under_another_clock_is_finished_as_if_undisturbed(
    days: int, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage("refresh")
    folder = stage.copy(tmp_path / "place")

    died = perform(replace(stage.act(folder, "release.recorded"), days_on=days))
    seen = recovered(stage, folder)

    TALLY[CLOCKS] += 1
    assert died == SIGKILLED
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


@pytest.mark.parametrize("days", DAYS)
def test_a_check_after_a_jump_of_the_clock_finds_nothing_new(
    days: int, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage("monitor")
    folder = stage.copy(tmp_path / "place")

    done = [
        perform(Act(folder, ("monitor", "docs"), days_on=ahead, looks=True))
        for ahead in (0, days, 0)
    ]
    seen = looked(folder)

    TALLY[CLOCKS] += 1
    assert done == [0, 0, 0], said(folder)
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome
