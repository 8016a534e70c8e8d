"""A disk that fills up at any size, or turns read-only: told, nothing torn, done once it can be."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.acting import Act
from tests.faults.disks import ROOMY, Disk, mounted
from tests.faults.harness import Stage, Workshop, perform, recovered, said
from tests.faults.tally import FULL_DISKS, READ_ONLY_DISKS, TALLY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SIZES = 32
# From one that takes nothing more to one that takes all that a refresh writes on its way.
_LARGEST_BYTES = 3 << 20
FULL = re.compile("no space|full|make room", re.IGNORECASE)
READ_ONLY = re.compile("read-?only|writable", re.IGNORECASE)


@pytest.fixture(scope="module")
def stage(workshop: Workshop) -> Stage:
    return workshop.stage("refresh")


@contextmanager
def on_a_disk(stage: Stage, folder: Path) -> Iterator[Disk]:
    """Yield the disk that the home of a copy of the place lies on."""
    stage.copy(folder)
    home, aside = folder / ".driftline", folder / "aside"
    home.rename(aside)
    with mounted(home) as disk:
        shutil.copytree(aside, home, dirs_exist_ok=True)
        shutil.rmtree(aside)
        yield disk


def used(folder: Path) -> int:
    """Return the bytes that a file system has given away."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@pytest.mark.parametrize("at", range(SIZES))
def test_on_a_disk_that_fills_up_a_refresh_is_told_and_ends_the_same_once_there_is_room(
    at: int, stage: Stage, tmp_path: Path
):
    folder = tmp_path / "place"
    with on_a_disk(stage, folder) as disk:
        disk.resize(used(disk.folder) + _LARGEST_BYTES * at // (SIZES - 1))

        status = perform(stage.act(folder))
        told = said(folder)
        disk.resize(ROOMY)
        seen = recovered(stage, folder)

    TALLY[FULL_DISKS] += 1
    assert status == 0 or (status == 1 and FULL.search(told)), told
    assert (status == 0) if at == SIZES - 1 else (at > 0 or status == 1)
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


def test_on_a_disk_that_turned_read_only_a_refresh_is_told_and_search_goes_on(
    stage: Stage, tmp_path: Path
):
    folder = tmp_path / "place"
    with on_a_disk(stage, folder) as disk:
        disk.make_writable(yes=False)

        status, told = perform(stage.act(folder)), said(folder)
        read = {
            command[0]: perform(Act(folder, command))
            for command in (("search", "docs", "lid"), ("history", "docs"), ("status",))
        }
        disk.make_writable(yes=True)
        seen = recovered(stage, folder)

    TALLY[READ_ONLY_DISKS] += 1
    assert status == 1, told
    assert READ_ONLY.search(told), told
    assert read == {"search": 0, "history": 0, "status": 0}, said(folder)
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome
