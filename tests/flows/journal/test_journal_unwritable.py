"""A journal on a disk that takes no writes: what only reads still answers, what writes says why."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from flows.errors import JournalCorruptError, JournalUnavailableError
from flows.journal import database as journal_database
from flows.journal.journal import Journal, open_journal
from tests.faults.disks import Disk, mounted
from tests.flows.journal.journals import NOW, first_format, release, sqlite_url


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", 1 << 20) as small:
        yield small


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(b"0" * 4096):
            pass


def written(disk: Disk, number: int = 3) -> str:
    url = sqlite_url(disk.folder)
    with open_journal(url) as journal:
        for at in range(number):
            journal.append("docs", "check", {"at": at}, time=NOW)
    return url


@pytest.mark.parametrize("refusal", ["read-only", "full"])
def test_what_only_reads_works_on_a_disk_that_takes_no_writes(disk: Disk, refusal: str):
    url = written(disk)
    fill(disk.folder) if refusal == "full" else disk.make_writable(yes=False)

    with open_journal(url) as journal:
        checks, chain = journal.entries("docs", "check"), journal.verify()
        serving, held = journal.serving("docs"), journal.lease("docs")
        with pytest.raises(JournalUnavailableError, match=r"cannot be (written|used)"):
            journal.append("docs", "check", {}, time=NOW)

    disk.make_writable(yes=True)
    assert [entry.payload["at"] for entry in checks] == [0, 1, 2]
    assert (chain.entries, chain.fault, serving, held) == (3, None, None, None)


def test_what_a_killed_writer_left_in_its_log_is_read_too(disk: Disk):
    url = written(disk, 1)
    file = disk.folder / "journal.db"
    with closing(sqlite3.connect(file)) as kept, open_journal(url) as journal:
        kept.execute("SELECT count(*) FROM entries").fetchone()
        journal.append("docs", "check", {"at": 1}, time=NOW)
        left = {path: path.read_bytes() for path in (file, file.with_name("journal.db-wal"))}
    for path, data in left.items():
        path.write_bytes(data)
    disk.make_writable(yes=False)

    with open_journal(url) as journal:
        checks = journal.entries("docs", "check")

    disk.make_writable(yes=True)
    assert [entry.payload["at"] for entry in checks] == [0, 1]


def test_a_journal_of_the_first_format_is_read_from_a_disk_that_takes_no_writes(disk: Disk):
    url = first_format(disk.folder)
    before = (disk.folder / "journal.db").read_bytes()
    disk.make_writable(yes=False)

    with open_journal(url) as journal:
        serving, waiting = journal.serving("docs"), journal.waiting()

    disk.make_writable(yes=True)
    assert serving is not None
    assert (serving.release, waiting) == (release(), ())
    assert (disk.folder / "journal.db").read_bytes() == before


def test_where_there_is_no_journal_and_none_can_be_made_nothing_is_known(disk: Disk):
    disk.make_writable(yes=False)

    with open_journal(f"sqlite:///{disk.folder / 'new' / 'journal.db'}") as journal:
        serving = journal.serving("docs")
        with pytest.raises(JournalUnavailableError, match="cannot be written"):
            journal.append("docs", "check", {}, time=NOW)

    disk.make_writable(yes=True)
    assert serving is None


def test_writing_goes_on_when_there_is_room_again(disk: Disk):
    url = written(disk)
    fill(disk.folder)
    with open_journal(url) as journal, pytest.raises(JournalUnavailableError):
        journal.append("docs", "check", {"text": "x" * 10_000}, time=NOW)

    (disk.folder / "ballast").unlink()
    with open_journal(url) as journal:
        journal.append("docs", "check", {"at": 3}, time=NOW)
        chain = journal.verify()

    assert (chain.entries, chain.fault) == (4, None)


def test_a_locked_journal_says_so_and_is_not_taken_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(journal_database, "BUSY_SECONDS", 0.05)
    url = sqlite_url(tmp_path)
    with open_journal(url):
        pass

    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_journal(url) as journal, pytest.raises(JournalUnavailableError, match="locked"):
            journal.append("docs", "check", {}, time=NOW)


def test_what_is_no_database_is_corrupt(tmp_path: Path):
    (tmp_path / "journal.db").write_bytes(b"not a database, and long enough to be one" * 100)

    with pytest.raises(JournalCorruptError, match="not a database"):
        Journal(sqlite_url(tmp_path))


def test_no_error_shows_the_password_of_a_database_that_is_not_there():
    with pytest.raises(JournalUnavailableError) as told:
        Journal("postgresql://ada:s3cr3t@127.0.0.1:9/journal")

    assert "s3cr3t" not in str(told.value)
    assert "ada:***@127.0.0.1:9/journal" in str(told.value)


def test_threads_of_one_process_write_one_chain(tmp_path: Path):
    with open_journal(sqlite_url(tmp_path)) as journal:
        threads = [
            threading.Thread(target=journal.append, args=("docs", "note", {}), kwargs={"time": NOW})
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        chain = journal.verify()

    assert (chain.entries, chain.fault) == (8, None)
