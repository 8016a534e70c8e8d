"""One writer: who holds a lease is told, a dead one holds nothing, whatever the clock says."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.errors import BusyError, JournalUnavailableError, LostLeaseError
from flows.journal import database as journal_database
from flows.journal import lease
from flows.journal.holders import Holder, is_gone, myself, read_holder, write_holder
from flows.journal.journal import Fence, Journal, LeaseRow, open_journal
from flows.journal.lease import Life, life_of
from tests.faults.forking import PROCESSES
from tests.flows.journal.journals import NOW, sqlite_url
from tests.retrieval.postgres import Postgres, postgres  # noqa: F401 a fixture

DAY = 86_400.0
TTL = lease.TTL_SECONDS


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the test kills it."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command) as process:
        yield process
        process.kill()


def holder(pid: int, host: str | None = None) -> str:
    started = psutil.Process(pid).create_time()
    return json.dumps({"host": host or socket.gethostname(), "pid": pid, "started": started})


def test_a_second_writer_is_told_who_holds_the_lease(journal: Journal):
    with (
        lease.hold(journal, "docs"),
        pytest.raises(BusyError, match="held by this very process"),
        lease.hold(journal, "docs"),
    ):
        pass


def test_a_lease_can_be_taken_again_after_the_block(journal: Journal):
    with lease.hold(journal, "docs") as first:
        pass
    with lease.hold(journal, "docs") as second:
        pass

    assert second.epoch == first.epoch + 1


def test_a_lease_is_given_back_when_the_block_fails(journal: Journal):
    with pytest.raises(RuntimeError), lease.hold(journal, "docs"):
        raise RuntimeError

    with lease.hold(journal, "docs"):
        pass


def test_two_knowledge_bases_have_two_leases(journal: Journal):
    with lease.hold(journal, "docs"), lease.hold(journal, "help"):
        pass


def test_a_killed_holder_holds_nothing(journal: Journal, sleeper: subprocess.Popen[bytes]):
    held = holder(sleeper.pid)
    journal.take_lease("docs", holder=held, now=time.time(), expected=None)
    with pytest.raises(BusyError, match=str(sleeper.pid)), lease.hold(journal, "docs"):
        pass

    sleeper.kill()
    sleeper.wait()

    with lease.hold(journal, "docs"):
        pass


def test_a_reused_process_id_is_not_the_holder(journal: Journal, sleeper: subprocess.Popen[bytes]):
    imposter = json.loads(holder(sleeper.pid))
    imposter["started"] -= 3600
    journal.take_lease("docs", holder=json.dumps(imposter), now=time.time(), expected=None)

    with lease.hold(journal, "docs"):
        pass


ELSEWHERE = Holder("elsewhere", 1, 0.0, boot="another boot")
WALL, TICKS = 1_000_000.0, 5_000.0
"""When the lease was last renewed, by either clock."""


def row_of(held: Holder) -> LeaseRow:
    return LeaseRow("docs", 3, write_holder(held), WALL, TICKS)


@pytest.mark.parametrize("set_by", [-DAY, 0.0, DAY], ids=["a-day-back", "not-set", "a-day-on"])
@pytest.mark.parametrize(
    ("age", "life"), [(0.0, Life.HELD), (TTL - 0.1, Life.HELD), (TTL, Life.NOBODY)]
)
def test_on_one_host_the_wall_clock_neither_frees_a_lease_nor_keeps_it(
    set_by: float, age: float, life: Life
):
    row = row_of(myself())

    assert life_of(row, wall=WALL + age + set_by, ticks=TICKS + age) is life


@pytest.mark.parametrize(
    ("age", "life"),
    [
        (0.0, Life.HELD),
        (TTL - 0.1, Life.HELD),
        (TTL, Life.DOUBTFUL),
        (DAY, Life.DOUBTFUL),
        (-0.1, Life.DOUBTFUL),
        (-DAY, Life.DOUBTFUL),
    ],
)
def test_of_a_holder_elsewhere_the_wall_clock_raises_doubts_and_nothing_more(
    age: float, life: Life
):
    assert life_of(row_of(ELSEWHERE), wall=WALL + age, ticks=TICKS + DAY) is life


@pytest.mark.parametrize("written", ["", "killed", "[]", '{"pid": 1}'])
def test_a_lease_of_nobody_is_free(written: str):
    assert life_of(LeaseRow("docs", 1, written, WALL, TICKS), wall=WALL, ticks=TICKS) is Life.NOBODY


def test_a_holder_that_a_newer_program_wrote_is_read():
    told = {**json.loads(write_holder(myself())), "more": 1}

    assert read_holder(json.dumps(told)) == myself()


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({}, False),
        ({"started": 0.0}, False),
        ({"begun": "1"}, True),
        ({"begun": "1", "space": "pid:[1]"}, False),
        ({"begun": "1", "boot": "another boot"}, False),
        ({"boot": "", "begun": "", "host": "elsewhere"}, False),
    ],
    ids=[
        "it-runs",
        "it-runs-and-the-clock-was-set",
        "another-with-its-number",
        "in-another-container",
        "on-another-host",
        "on-another-host-without-a-boot",
    ],
)
def test_only_who_can_see_a_process_can_say_that_it_ended(change: dict[str, Any], *, gone: bool):
    me = myself()

    assert is_gone(replace(me, **change), me) is gone


def test_a_holder_elsewhere_that_is_silent_while_watched_is_dead(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.6)
    old = time.time() - TTL
    journal.take_lease("docs", holder=write_holder(ELSEWHERE), now=old, expected=None)

    began = time.monotonic()
    with lease.hold(journal, "docs"):
        watched = time.monotonic() - began

    assert watched >= 0.6


@pytest.mark.parametrize("set_by", [-DAY, DAY], ids=["a-day-back", "a-day-on"])
def test_a_living_holder_elsewhere_keeps_its_lease_whatever_its_clock_says(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, set_by: float
):
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.6)
    holder = write_holder(ELSEWHERE)
    fence = journal.take_lease("docs", holder=holder, now=time.time() + set_by, expected=None)
    assert fence is not None
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.1):
            journal.renew_lease(fence, now=time.time() + set_by, ticks=time.monotonic())

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(BusyError, match="on elsewhere"), lease.hold(journal, "docs"):
            pass
    finally:
        stop.set()
        beating.join()
    held = journal.lease("docs")
    assert held is not None
    assert held.epoch == fence.epoch


def test_the_holder_beats(journal: Journal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)

    with lease.hold(journal, "docs"):
        first = journal.lease("docs")
        deadline = time.monotonic() + 10
        while journal.lease("docs") == first and time.monotonic() < deadline:
            pass
        beaten = journal.lease("docs")

    assert first is not None
    assert beaten is not None
    assert beaten.renewed > first.renewed


def test_a_renewal_that_fails_is_tried_again_until_it_succeeds(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The database is locked for longer than a writer waits: the beat must not end there."""
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.03)
    refused = threading.Event()
    renew = Journal.renew_lease

    def renewed(self: Journal, fence: Fence, *, now: float, ticks: float) -> bool:
        try:
            return renew(self, fence, now=now, ticks=ticks)
        except JournalUnavailableError:
            refused.set()
            raise

    monkeypatch.setattr(Journal, "renew_lease", renewed)
    monkeypatch.setattr(journal_database, "BUSY_SECONDS", 0.01)
    with open_journal(sqlite_url(tmp_path)) as hasty, lease.hold(hasty, "docs") as fence:
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert refused.wait(30)
        before, deadline = journal.lease("docs"), time.monotonic() + 30
        while journal.lease("docs") == before and time.monotonic() < deadline:
            time.sleep(0.01)
        after = journal.lease("docs")
        hasty.append("docs", "check", {}, time=NOW, fence=fence)

    assert before is not None
    assert after is not None
    assert after.ticks > before.ticks


def test_a_lease_that_cannot_be_given_back_fails_no_work_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(journal_database, "BUSY_SECONDS", 0.01)

    with (
        closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other,
        open_journal(sqlite_url(tmp_path)) as hasty,
    ):
        with lease.hold(hasty, "docs"):
            other.execute("BEGIN IMMEDIATE")
        held = hasty.lease("docs")

    assert held is not None
    assert read_holder(held.holder) is not None


def sleep_and_write(url: str, told: Connection, stop_beat: float, ttl: float) -> None:
    """Hold the lease, stop as a laptop that is shut does, wake up, and try to write."""
    lease.TTL_SECONDS, lease.BEAT_SECONDS = ttl, stop_beat
    with open_journal(url) as journal, lease.hold(journal, "docs") as fence:
        told.send("held")
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            journal.append("docs", "check", {"by": "zombie"}, time=NOW, fence=fence)
            told.send("wrote")
        except LostLeaseError as error:
            told.send(error.code)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database("leases")


@pytest.mark.parametrize(
    ("beat", "taken", "said"),
    [(0.2, True, "LEASE_LOST"), (0.2, False, "wrote"), (1e6, True, "LEASE_LOST")],
    ids=["taken-meanwhile", "nobody-came", "taken-and-it-never-beats-again"],
)
def test_a_process_that_sleeps_past_its_lease_writes_nothing_if_another_took_it(
    url: str, monkeypatch: pytest.MonkeyPatch, beat: float, said: str, *, taken: bool
):
    """90 seconds beside a lease of 60, fifty times faster."""
    ttl = 1.2
    monkeypatch.setattr(lease, "TTL_SECONDS", ttl)
    hear, tell = PROCESSES.Pipe()
    zombie = PROCESSES.Process(target=sleep_and_write, args=(url, tell, beat, ttl))
    zombie.start()
    assert hear.poll(60)
    hear.recv()
    await_stop(zombie.pid)

    with open_journal(url) as journal:
        if taken:
            with (
                pytest.raises(BusyError, match=str(zombie.pid)),
                lease.hold(journal, "docs"),
            ):
                pass
            with lease.hold(journal, "docs", patience_seconds=30) as fence:
                os.kill(zombie.pid or 0, signal.SIGCONT)
                assert hear.poll(60)
                heard = hear.recv()
                journal.append("docs", "check", {"by": "the next"}, time=NOW, fence=fence)
        else:
            os.kill(zombie.pid or 0, signal.SIGCONT)
            assert hear.poll(60)
            heard = hear.recv()
        zombie.join(60)
        wrote = [entry.payload["by"] for entry in journal.entries("docs", "check")]
        chain = journal.verify()

    assert heard == said
    assert wrote == (["the next"] if taken else ["zombie"])
    assert (zombie.exitcode, chain.fault) == (0, None)


def await_stop(pid: int | None) -> None:
    process, deadline = psutil.Process(pid), time.monotonic() + 60
    while process.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, "it never stopped"
        time.sleep(0.02)


def test_patience_waits_for_the_lease(journal: Journal):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    journal.take_lease("docs", holder=holder(process.pid), now=time.time(), expected=None)

    with lease.hold(journal, "docs", patience_seconds=30):
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE

    process.wait()
