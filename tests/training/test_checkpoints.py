"""Checkpoints: whole or not there, of this training or none, and room is made for them."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.errors import NoSpaceError
from training.fitting.checkpoints import MANIFEST, Checkpoints, Progress, TrainingKey, work_folder

KEY = TrainingKey(base="b", examples="e", config="c", start="")
NAMES = ("adapter_model.safetensors", "optimiser.safetensors")


def filled(folder: Path) -> None:
    for name in NAMES:
        (folder / name).write_bytes(name.encode())


def checkpoints(tmp_path: Path, *, key: TrainingKey = KEY, kept: int = 2) -> Checkpoints:
    return Checkpoints(tmp_path / "adapter", key, kept=kept)


def written(tmp_path: Path, *steps: int, kept: int = 2) -> Checkpoints:
    made = checkpoints(tmp_path, kept=kept)
    for step in steps:
        made.write(Progress(step, 10 * step, 0.5 * step), filled)
    return made


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in work_folder(tmp_path / "adapter").iterdir())


def test_the_newest_checkpoint_is_the_one_of_the_last_step(tmp_path: Path) -> None:
    newest = written(tmp_path, 999_999, 1_000_000).newest()

    assert newest
    assert newest.progress == Progress(1_000_000, 10_000_000, 500_000.0)
    assert newest.folder.name == "step-1000000"


def test_without_a_checkpoint_there_is_nothing_to_resume_from(tmp_path: Path) -> None:
    made = checkpoints(tmp_path)

    made.clear()

    assert made.newest() is None
    assert "No checkpoint" in made.kept_words()


@pytest.mark.parametrize("name", [*NAMES, MANIFEST])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    name: str, damage: str, tmp_path: Path
) -> None:
    made = written(tmp_path, 4, 8)
    path = work_folder(tmp_path / "adapter") / "step-000008" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "cut" else bytes([content[0] ^ 1, *content[1:]]))

    newest = made.newest()
    made.clear()

    assert newest
    assert newest.progress.step == 4
    assert names(tmp_path) == ["step-000004"]


def test_a_checkpoint_under_another_steps_name_is_none(tmp_path: Path) -> None:
    made = written(tmp_path, 4)
    work = work_folder(tmp_path / "adapter")
    (work / "step-000004").rename(work / "step-000009")

    assert made.newest() is None


@pytest.mark.parametrize("what", ["base", "examples", "config", "start"])
def test_a_checkpoint_of_another_training_is_none(what: str, tmp_path: Path) -> None:
    written(tmp_path, 4)
    other = checkpoints(tmp_path, key=replace(KEY, **{what: "other"}))

    found = other.newest()
    other.clear()

    assert found is None
    assert names(tmp_path) == []


@pytest.mark.parametrize(("kept", "left"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_at_least_two_checkpoints_are_kept_while_training(
    kept: int, left: int, tmp_path: Path
) -> None:
    written(tmp_path, 1, 2, 3, 4, 5, kept=kept)

    assert names(tmp_path) == [f"step-{step:06}" for step in range(6 - left, 6)]


def test_what_a_kill_left_half_written_is_cleared(tmp_path: Path) -> None:
    made = written(tmp_path, 4)
    work = work_folder(tmp_path / "adapter")
    (work / ".writing").mkdir()
    (work / ".writing" / NAMES[0]).write_bytes(b"half")
    (work / "stray").write_bytes(b"")

    made.clear()

    assert names(tmp_path) == ["step-000004"]


def test_a_full_disk_costs_the_older_checkpoint_first(tmp_path: Path) -> None:
    made, tries = written(tmp_path, 4, 8), []

    def full_once(folder: Path) -> None:
        tries.append(names(tmp_path))
        if len(tries) == 1:
            Path("/dev/full").write_bytes(b"x")
        filled(folder)

    made.write(Progress(12), full_once)

    assert tries == [
        [".writing", "step-000004", "step-000008"],
        [".writing", "step-000008"],
    ]
    assert names(tmp_path) == ["step-000008", "step-000012"]


def test_a_disk_that_stays_full_stops_with_the_last_checkpoint_kept(tmp_path: Path) -> None:
    made = written(tmp_path, 4, 8)

    def full(_: Path) -> None:
        Path("/dev/full").write_bytes(b"x")

    with pytest.raises(NoSpaceError, match=r"full after step 12.*step 8 is kept.*Make room"):
        made.write(Progress(12), full)

    assert names(tmp_path) == ["step-000008"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_another_trouble_with_the_disk_is_not_called_full(number: int, tmp_path: Path) -> None:
    def fails(_: Path) -> None:
        raise OSError(number, "trouble")

    with pytest.raises(OSError, match="trouble") as raised:
        written(tmp_path, 4, 8).write(Progress(12), fails)

    assert raised.value.errno == number
    assert names(tmp_path) == ["step-000004", "step-000008"]


def test_a_training_does_not_begin_where_three_checkpoints_do_not_fit(tmp_path: Path) -> None:
    made = checkpoints(tmp_path)

    made.require_space(1_000)
    with pytest.raises(NoSpaceError, match=r"needs 3,000,000,000.0 MB"):
        made.require_space(10**15)


@pytest.mark.parametrize(("kept", "left"), [(0, []), (1, ["step-000008"])])
def test_when_it_is_done_only_candidates_are_left(
    kept: int, left: list[str], tmp_path: Path
) -> None:
    made = written(tmp_path, 4, 8, kept=kept)
    fill: Callable[[Path], None] = filled

    made.deliver(tmp_path / "adapter", Progress(9), fill)

    work = work_folder(tmp_path / "adapter")
    assert {path.name for path in (tmp_path / "adapter").iterdir()} == set(NAMES)
    assert (names(tmp_path) if work.exists() else []) == left
    assert not list(work.rglob(MANIFEST))
    assert not list(work.rglob("optimiser.safetensors"))
