"""Killed at any failpoint of any flow and run again, a place comes to what it comes to undisturbed.

Real processes die here by SIGKILL, at every place that a flow has a name for and at moments drawn
by chance. Trainings and the inside of a refresh are killed by tests of their own, many times more.
"""

import random
import time
from pathlib import Path

import pytest

from flows.failpoints import every_failpoint
from tests.faults.harness import SIGKILLED, Stage, Workshop, perform, recovered, said
from tests.faults.scenes import SCENES
from tests.faults.tally import AROUND_TRANSACTIONS, AT_FAILPOINTS, BY_CHANCE, TALLY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Reached in the training process, and killed there: tests/training/test_killed_training.py
IN_TRAININGS = {
    name
    for name in every_failpoint()
    if name.startswith(("training.", "adapter.", "checkpoint.", "finished."))
}
NAMES = [name for name in every_failpoint() if name not in IN_TRAININGS]
# Transactions are the points of no return: these scenes are cut after each one, and one before too.
AROUND = {
    ("refresh", "journal.committing"): 4,
    ("refresh", "journal.committed"): 4,
    ("promote", "journal.committed"): 4,
    ("rollback", "journal.committed"): 4,
}
TRANSACTIONS = [
    (scene, f"{name}:{at}") for (scene, name), count in AROUND.items() for at in range(1, count + 1)
]
CHANCES = [(scene, at) for scene in ("refresh", "monitor", "promote") for at in range(4)]


def scene_of(name: str, workshop: Workshop) -> str:
    """Return a scene whose run reaches a failpoint, the one that reaches least else."""
    there = [scene for scene, stage in workshop.stages.items() if name in stage.reached]
    assert there, f"no run reaches {name!r}: it is dead, or its flow has no scene yet"
    return min(there, key=lambda scene: len(workshop.stages[scene].reached))


def test_every_listed_failpoint_is_reached_by_some_run_and_every_reached_one_is_listed(
    workshop: Workshop,
):
    reached = {name for stage in workshop.stages.values() for name in stage.reached}

    assert sorted(reached | IN_TRAININGS) == sorted(every_failpoint())


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_a_failpoint_and_run_again_it_ends_as_if_undisturbed(
    name: str, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage(scene_of(name, workshop))
    folder = stage.copy(tmp_path / "place")

    died = perform(stage.act(folder, name))
    seen = recovered(stage, folder)

    TALLY[AT_FAILPOINTS] += 1
    assert died == SIGKILLED
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


def test_the_table_has_every_transaction_of_these_scenes(workshop: Workshop):
    reached = {(scene, name): workshop.stage(scene).reached[name] for scene, name in AROUND}

    assert reached == AROUND


@pytest.mark.parametrize(("scene", "order"), TRANSACTIONS)
def test_killed_around_any_transaction_it_ends_as_if_undisturbed(
    scene: str, order: str, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage(scene)
    folder = stage.copy(tmp_path / "place")

    died = perform(stage.act(folder, order))
    seen = recovered(stage, folder)

    TALLY[AROUND_TRANSACTIONS] += 1
    assert died == SIGKILLED
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


@pytest.mark.parametrize(("scene", "at"), CHANCES)
def test_killed_at_any_moment_it_ends_as_if_undisturbed(
    scene: str, at: int, workshop: Workshop, tmp_path: Path
):
    stage = workshop.stage(scene)
    folder = killed_by_chance(stage, tmp_path, random.Random(f"{scene} {at}"))  # noqa: S311 no secret

    seen = recovered(stage, folder)

    TALLY[BY_CHANCE] += 1
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


def killed_by_chance(stage: Stage, tmp_path: Path, chance: random.Random) -> Path:
    """Return a copy of a place in which the command was killed at some moment of its work."""
    folder = stage.copy(tmp_path / "timed")
    began = time.perf_counter()
    assert perform(stage.act(folder)) == stage.scene.status, said(folder)
    longest = time.perf_counter() - began
    for attempt in range(20):
        folder = stage.copy(tmp_path / f"place-{attempt}")
        if perform(stage.act(folder), killed_after=chance.random() * longest) == SIGKILLED:
            return folder
    return pytest.fail("it was done before, twenty times")


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_can_be_played_to_its_end_and_breaks_no_invariant(scene: str, workshop: Workshop):
    assert workshop.stage(scene).undisturbed.broken == ()


def test_there_are_scenes_for_every_flow():
    commands = {scene.command[0] for scene in SCENES.values()}

    assert commands >= {
        "monitor",
        "refresh",
        "retrain",
        "promote",
        "rollback",
        "resume",
        "maintain",
    }
