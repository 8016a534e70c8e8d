"""A real Prefect server is asked for one retraining, whatever is killed and however often."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.journal.journal import Journal, open_journal
from flows.settings.settings import load_settings
from flows.telling.entries import EVENT, RETRAIN
from tests.flows.conftest import HANDBOOK

PATIENCE_SECONDS = 120.0
SETTINGS = '[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n'

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Server:
    """A Prefect server with a deployment `retrain/retrain` that nobody performs."""

    url: str

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
            return json.load(response)

    def asked_for(self) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.post("/flow_runs/filter", sort="EXPECTED_START_TIME_ASC")
        return runs

    def events(self) -> list[dict[str, Any]]:
        wanted = {"event": {"prefix": ["driftline."]}}
        found: list[dict[str, Any]] = self.post("/events/filter", filter=wanted)["events"]
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.5)
    return False


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": "",
    }
    start = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    process = subprocess.Popen(
        start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        assert until(lambda: healthy(url)), "the Prefect server did not start"
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            flow = client.create_flow_from_name("retrain")
            client.create_deployment(flow, "retrain", enforce_parameter_schema=False)
        yield Server(url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@dataclass(frozen=True)
class Place:
    """A knowledge base whose runs are processes of their own, and its settings."""

    folder: Path
    runs: subprocess.Popen[str]

    def run(self, what: str, url: str) -> int:
        """Do it, and return how it ended."""
        assert self.runs.stdin is not None
        assert self.runs.stdout is not None
        self.runs.stdin.write(f"{what} {self.folder} {url}\n")
        self.runs.stdin.flush()
        return int(self.runs.stdout.readline())

    def add(self, part: str) -> None:
        shutil.copytree(HANDBOOK / part, self.folder / "docs" / part)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        with open_journal(load_settings(self.folder / "driftline.toml").journal_url) as journal:
            yield journal

    def waiting(self) -> Counter[str]:
        """Return how many errands wait, by kind."""
        with self.journal() as journal:
            return Counter(each.kind for each in journal.waiting())

    def let_the_waits_end(self) -> None:
        """Make due now what was refused, as it would be half a minute later."""
        with self.journal() as journal:
            for each in journal.waiting():
                journal.postpone(each, datetime.now(UTC), each.why)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Place]:
    """A first release, and documents that moved far since."""
    folder = tmp_path_factory.mktemp("asking")
    (folder / "driftline.toml").write_text(SETTINGS, encoding="utf-8")
    runs = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.telling.asked_runs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with runs:
        made = Place(folder, runs)
        made.add("billing")
        assert made.run("first", server.url) == 0
        for part in ("devices", "energy"):
            made.add(part)
        yield made


def test_ten_drift_events_and_three_restarts_give_one_retraining(server: Server, place: Place):
    ends = []
    left = []
    for where in ("monitor.remembered", "monitor.checked", "asked"):
        ends.append(place.run(f"killed:{where}", server.url))
        left.append(place.waiting()[RETRAIN])
    ends.append(place.run("checks:10", server.url))

    (asked,) = server.asked_for()
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert left == [0, 1, 1]
    assert asked["parameters"]["snapshot"] == "docs@3"
    assert "energy/" in asked["parameters"]["reason"]
    assert RETRAIN not in place.waiting()


def test_events_reach_the_server_once_each_with_their_payloads(server: Server, place: Place):
    def arrived() -> bool:
        return {"driftline.drift.exceeded", "driftline.release.published"} <= {
            event["event"] for event in server.events()
        }

    assert until(arrived)

    events = server.events()
    (drift,) = [event for event in events if event["event"] == "driftline.drift.exceeded"]
    assert drift["resource"]["prefect.resource.id"] == "driftline.kb.docs"
    assert drift["payload"]["action"] == "retrain"
    assert drift["payload"]["reference"] == "docs@2"
    assert len({event["id"] for event in events}) == len(events)
    assert EVENT not in place.waiting()


def test_a_server_that_is_down_during_the_check_is_asked_by_the_next_run(
    server: Server, place: Place
):
    before = len(server.asked_for())
    place.add("shipping")

    away = place.run("checks:1", f"http://127.0.0.1:{free_port()}/api")
    still_asked_for, kept = len(server.asked_for()), place.waiting()
    place.let_the_waits_end()
    ends = [place.run("deliver", server.url) for _ in range(2)]

    assert (away, still_asked_for) == (0, before)
    assert kept[RETRAIN] == 1
    assert ends == [0, 0]
    assert len(server.asked_for()) == before + 1
    assert place.waiting() == Counter()


def test_without_a_server_a_retraining_that_was_killed_is_done_by_the_next_run(
    server: Server, place: Place
):
    before = len(server.asked_for())
    place.add("policies")

    ends, left = [], []
    for how in ("killed", "done"):
        ends.append(place.run(f"here:{how}", server.url))
        left.append(place.waiting()[RETRAIN])

    assert ends == [-signal.SIGKILL, 0]
    assert left == [1, 0]
    assert len((place.folder / "retrained").read_text().splitlines()) == 2
    assert len(server.asked_for()) == before
