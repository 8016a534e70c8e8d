"""On a full disk the journal goes on with the room that was set aside for it."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.errors import JournalUnavailableError
from flows.journal import reserve
from flows.journal.journal import Journal, open_journal
from flows.journal.reserve import PIECE_BYTES, Reserve
from tests.faults.disks import Disk, mounted
from tests.flows.conftest import Place

NOW = datetime(2026, 5, 4, tzinfo=UTC)
MEGABYTE = 1 << 20
RESERVE = 8 * MEGABYTE


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", RESERVE)
    with mounted(tmp_path / "disk", 64 * MEGABYTE) as made:
        yield made


def fill(disk: Disk) -> Path:
    """Leave no byte free."""
    ballast = disk.folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def append(journal: Journal, times: int) -> None:
    for number in range(times):
        payload = {"number": number, "text": "x" * 2_000}
        journal.append("docs", "note", payload, time=NOW)


def test_entries_are_written_on_a_full_disk_from_the_reserve(disk: Disk):
    with open_journal(f"sqlite:///{disk.folder / 'journal.db'}") as journal:
        append(journal, 1)
        assert journal.set_room_aside()
        fill(disk)

        append(journal, 40)

        assert journal.count("docs", "note") == 41
        assert journal.first_broken() is None
    left = Reserve.beside(disk.folder / "journal.db").size
    assert 0 < left < RESERVE


def test_without_a_reserve_a_full_disk_is_told_and_nothing_is_written(disk: Disk):
    with open_journal(f"sqlite:///{disk.folder / 'journal.db'}") as journal:
        append(journal, 1)
        fill(disk)

        with pytest.raises(JournalUnavailableError, match="full"):
            append(journal, 40)

        assert journal.first_broken() is None


def test_the_reserve_is_made_whole_again_once_there_is_room(disk: Disk):
    with open_journal(f"sqlite:///{disk.folder / 'journal.db'}") as journal:
        journal.set_room_aside()
        ballast = fill(disk)
        append(journal, 20)

        during = journal.set_room_aside()
        ballast.unlink()
        after = journal.set_room_aside()

    assert (during, after) == (False, True)
    assert Reserve.beside(disk.folder / "journal.db").size == RESERVE


@pytest.mark.parametrize(
    ("free", "drawn"), [(PIECE_BYTES - 4096, True), (PIECE_BYTES, False)], ids=["short", "enough"]
)
def test_a_piece_is_given_back_only_where_less_than_a_piece_is_free(
    disk: Disk, free: int, *, drawn: bool
):
    room = Reserve(disk.folder / "journal.db-reserve")
    room.set_aside()
    with (disk.folder / "ballast").open("wb") as file:
        file.truncate(0)
        left = 64 * MEGABYTE - RESERVE - free
        file.write(bytes(left))

    assert room.draw() is drawn
    assert room.size == RESERVE - (PIECE_BYTES if drawn else 0)


def test_a_small_disk_is_left_alone(disk: Disk):
    disk.resize(4 * RESERVE - 4096)

    assert not Reserve(disk.folder / "journal.db-reserve").set_aside()
    assert list(disk.folder.iterdir()) == []


def test_a_check_sets_the_room_aside(place: Place):
    assert place.run("monitor", "docs").status == 0

    home = place.folder / ".driftline"
    assert Reserve.beside(home / "journal.db").size == reserve.RESERVE_BYTES
