"""One writer: who holds a lease is told, and a dead holder holds nothing."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows import lease
from flows.errors import BusyError
from flows.journal import Journal


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


@pytest.mark.parametrize(("age", "taken"), [(30.0, False), (61.0, True)])
def test_a_holder_elsewhere_is_dead_after_three_missed_beats(
    journal: Journal, age: float, *, taken: bool
):
    held = json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0})
    journal.take_lease("docs", holder=held, now=time.time() - age, expected=None)

    try:
        with lease.hold(journal, "docs"):
            was_taken = True
    except BusyError:
        was_taken = False

    assert was_taken is taken


def test_a_holder_that_stopped_beating_loses_the_lease(
    journal: Journal, sleeper: subprocess.Popen[bytes]
):
    """A process that was stopped for two minutes and wakes up may write nothing."""
    asleep = journal.take_lease(
        "docs", holder=holder(sleeper.pid), now=time.time() - 120, expected=None
    )

    with lease.hold(journal, "docs"):
        assert asleep is not None
        assert not journal.renew_lease(asleep, now=time.time())


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


def test_patience_waits_for_the_lease(journal: Journal):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    journal.take_lease("docs", holder=holder(process.pid), now=time.time(), expected=None)

    with lease.hold(journal, "docs", patience_seconds=30):
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE

    process.wait()
