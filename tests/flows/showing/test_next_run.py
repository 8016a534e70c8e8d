"""When the next check runs: by a server that answers, hangs, trickles or lies, else by settings."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.settings.settings import Settings, load_settings
from flows.showing.next_run import Server, Slot, by_settings, next_run, prefect_server, scheduled

NOW = datetime(2026, 5, 4, 6, 10, tzinfo=UTC)
SEVEN, EIGHT = (datetime(2026, 5, 4, hour, tzinfo=UTC) for hour in (7, 8))
SOURCE = '[kb.docs.source]\npath = "docs"\n'


@pytest.fixture(autouse=True)
def _no_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "KEY", "AUTH_STRING"):
        monkeypatch.delenv(f"PREFECT_API_{name}", raising=False)


def settings(folder: Path, text: str = "") -> Settings:
    file = folder / "driftline.toml"
    file.write_text(text + SOURCE, encoding="utf-8")
    return load_settings(file)


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve one answer to every question on loopback; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer(self)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/api"
        finally:
            running.shutdown()
            thread.join()


def answering(runs: Any, asked: list[Any] | None = None, status: int = 200) -> Any:
    def answer(handler: Any) -> None:
        if asked is not None:
            asked.append((handler.path, handler.headers.get("Authorization"), handler.body))
        body = runs if isinstance(runs, bytes) else json.dumps(runs).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def run_at(time_: datetime, kb: str) -> dict[str, Any]:
    return {"expected_start_time": time_.isoformat(), "parameters": {"kb": kb}}


def test_a_server_tells_its_scheduled_checks():
    asked: list[Any] = []

    with server(answering([run_at(SEVEN, "docs"), run_at(EIGHT, "")], asked)) as address:
        slots = scheduled(Server(address, "Basic abc"), seconds=10)

    assert slots == (Slot(SEVEN, "docs"), Slot(EIGHT, ""))
    ((path, authorization, body),) = asked
    assert (path, authorization) == ("/api/flow_runs/filter", "Basic abc")
    assert body["flow_runs"]["state"]["type"]["any_"] == ["SCHEDULED"]


@pytest.mark.parametrize(
    "answer",
    [
        answering([], status=500),
        answering(b"<html>a page of somebody else</html>"),
        answering([{"no": "times"}]),
        answering({"detail": "not a list"}),
    ],
    ids=["broken", "another-application", "another-shape", "an-object"],
)
def test_a_server_that_is_none_of_ours_is_no_server(answer: Any):
    with server(answer) as address:
        assert scheduled(Server(address), seconds=10) is None


def test_a_port_on_which_nobody_listens_is_no_server():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    assert scheduled(Server(f"http://127.0.0.1:{port}/api"), seconds=10) is None


def test_a_server_that_trickles_is_left_alone_when_its_time_is_over():
    over = threading.Event()

    def trickle(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        # Each byte comes within any socket's timeout, all of them never.
        while not over.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    with server(trickle) as address:
        started = time.monotonic()
        slots = scheduled(Server(address), seconds=0.3)
        waited = time.monotonic() - started
        over.set()

    assert slots is None
    assert waited < 5


def test_what_is_no_address_of_a_server_is_not_opened(tmp_path: Path):
    (tmp_path / "flow_runs").mkdir()
    (tmp_path / "flow_runs" / "filter").write_text(json.dumps([run_at(SEVEN, "")]))

    assert scheduled(Server(tmp_path.as_uri()), seconds=10) is None


@pytest.mark.parametrize(
    ("slots", "time_", "source"),
    [
        ((Slot(EIGHT, ""), Slot(SEVEN, "docs")), SEVEN, "Prefect"),
        ((Slot(SEVEN, "other"), Slot(EIGHT, "docs")), EIGHT, "Prefect"),
        ((Slot(SEVEN, "other"),), None, "Prefect"),
        (None, SEVEN, "settings"),
    ],
    ids=["the-earliest", "not-anothers", "paused", "no-server"],
)
def test_the_next_run_is_the_first_that_is_ours(
    tmp_path: Path, slots: Any, time_: datetime | None, source: str
):
    found = next_run(settings(tmp_path), "docs", slots, NOW)

    assert (found.time, found.source) == (time_, source)
    assert bool(found.note) is (time_ is None or source == "settings")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[schedule]\nmonitor = "30 9 * * *"\ntimezone = "Europe/Berlin"\n',
         datetime(2026, 5, 4, 7, 30, tzinfo=UTC)),
        ('[schedule]\nmonitor = "never"\n', None),
        ('[kb.docs.schedule]\nmonitor = "0 8 * * *"\n', EIGHT),
    ],
    ids=["by-a-zones-clock", "never", "of-its-own"],
)  # fmt: skip
def test_the_settings_say_when_it_would_run(tmp_path: Path, text: str, expected: datetime | None):
    assert by_settings(settings(tmp_path, text), "docs", NOW) == expected


def test_prefects_own_variables_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ours = prefect_server(settings(tmp_path, "[servers]\nprefect_port = 4711\n"))
    monkeypatch.setenv("PREFECT_API_URL", "https://ada:secret@prefect.example/api")
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    theirs = prefect_server(settings(tmp_path))

    assert ours == Server("http://127.0.0.1:4711/api", "")
    assert (theirs.shown, theirs.authorization) == ("https://prefect.example/api", "Bearer key")
    assert "key" not in repr(theirs)


def test_the_password_of_the_settings_goes_to_the_server_of_the_settings_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OUR_PASSWORD", "ada:lovelace")
    text = '[servers]\nauth_variable = "OUR_PASSWORD"\n'

    ours = prefect_server(settings(tmp_path, text))
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    theirs = prefect_server(settings(tmp_path, text))

    assert ours.authorization == "Basic YWRhOmxvdmVsYWNl"
    assert theirs.authorization == ""
