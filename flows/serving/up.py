"""Everything that serves, in one command: Prefect server, MLflow and one runner for both pools."""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.errors import FlowError, PortTakenError, ServerError
from flows.serving.processes import Household
from flows.settings.settings import Settings

_READY_SECONDS = 180.0
_ROOT = Path(__file__).resolve().parents[2]
_PREFECT, _MLFLOW, _RUNNER = "prefect", "mlflow", "runner"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to look."""

    prefect: str
    mlflow: str


@dataclass(frozen=True, slots=True)
class Served:
    """What serves now: where, what its deployment changed, and what to know of its schedules."""

    addresses: Addresses
    changes: tuple[dict[str, str], ...]
    notices: tuple[str, ...]


Say = Callable[[str], None]


@contextmanager
def serving(settings: Settings, say: Say) -> Iterator[tuple[Served, Callable[[], None]]]:
    """Start all, yield what serves and a function that waits; stop all at the end.

    The function starts anew what stops by itself, and raises ServerError if that does not help.
    """
    servers, logs = settings.servers, settings.home_folder / "logs"
    for port in (servers.prefect_port, servers.mlflow_port):
        _refuse_taken(servers.reachable, port)
    logs.mkdir(parents=True, exist_ok=True)
    with Household(_environment(settings), logs, _ROOT) as household:
        house = _House(settings, household)
        say("Starting the Prefect server and MLflow …")
        house.start(_PREFECT)
        addresses = Addresses(_url(servers.reachable, servers.prefect_port), settings.tracking_uri)
        if not settings.tracking_uri.startswith("http"):
            house.start(_MLFLOW)
            addresses = Addresses(addresses.prefect, _url(servers.reachable, servers.mlflow_port))
            _await(f"{addresses.mlflow}/health", _MLFLOW, household)
        _await(f"{addresses.prefect}/api/health", _PREFECT, household)
        say("Deploying prefect.yaml …")
        deployed = house.start_runner()
        changes, notices = tuple(deployed["changes"]), tuple(deployed["notices"])
        yield Served(addresses, changes, notices), lambda: house.watch(say)


@dataclass(frozen=True)
class _House:
    """The processes by name, and how each is started."""

    settings: Settings
    household: Household

    def start(self, name: str) -> None:
        servers = self.settings.servers
        command = {
            _PREFECT: ("prefect", "server", "start", "--host", servers.host,
                       "--port", str(servers.prefect_port)),
            _MLFLOW: ("flows.serving.mlflow_app",),
        }[name]  # fmt: skip
        self.household.start(name, *command)

    def start_runner(self) -> dict[str, Any]:
        """Start what performs runs, and return what it deployed first; raise what it could not."""
        ours, theirs = os.pipe()
        try:
            self.household.start(_RUNNER, "flows.serving.runner", str(theirs), passing=(theirs,))
        finally:
            os.close(theirs)
        said = _line_of(ours)
        if said is None:
            msg = f"The runner was not ready; see {self.household.log_of(_RUNNER)}."
            raise ServerError(msg)
        if "error" in said:
            raise _told_by_runner(said["error"])
        return said

    def watch(self, say: Say) -> None:
        """Start anew what stops; return never."""
        while True:
            for name in self.household.stopped():
                self.household.may_restart(name)
                say(f"{name} stopped and is started anew; see {self.household.log_of(name)}.")
                if name == _RUNNER:
                    self.start_runner()
                else:
                    self.start(name)
            time.sleep(1.0)


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment of all that is started, the password of Prefect included."""
    servers = settings.servers
    prefect = _url(servers.reachable, servers.prefect_port)
    pages = [prefect, _url("localhost", servers.prefect_port)]
    pages += [_url(name, servers.prefect_port) for name in servers.names]
    environment = {
        **os.environ,
        "DO_NOT_TRACK": "true",
        "DRIFTLINE_CONFIG": str(settings.file),
        # By default glibc keeps eight heaps a core; two are enough for servers that wait.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        # Flow runs are started as `python`, and it has to be this one.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PREFECT_API_URL": f"{prefect}/api",
        # flows.serving.automations takes a run for dead that misses four of these.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_HOME": str(settings.home_folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # By default every page of the web may start runs on the loopback address.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(pages),
        "PREFECT_UI_API_URL": "/api",
    }
    if servers.auth_variable is not None:
        password = settings.secret(servers.auth_variable)
        environment["PREFECT_SERVER_API_AUTH_STRING"] = password
        environment["PREFECT_API_AUTH_STRING"] = password
    return environment


def _url(host: str, port: int) -> str:
    return f"http://{host}:{port}"


def _line_of(descriptor: int) -> dict[str, Any] | None:
    """Return the object that is written to a pipe, None if it is closed before, or too late."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        with os.fdopen(descriptor, encoding="utf-8") as pipe:
            heard.put(pipe.readline())

    threading.Thread(target=listen, daemon=True).start()
    with suppress(queue.Empty):
        line = heard.get(timeout=_READY_SECONDS)
        return dict(json.loads(line)) if line else None
    return None


def _told_by_runner(error: dict[str, str]) -> FlowError:
    return ServerError(f"{error['code']}: {error['message']}")


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            msg = (
                f"Something already listens on {host}:{port}. Stop it, or choose another port in "
                "`[servers]` of the settings."
            )
            raise PortTakenError(msg)


def _await(url: str, name: str, household: Household) -> None:
    """Return when a server answers; raise ServerError if it stops, or takes too long."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        household.refuse_stopped()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    msg = f"{name} was not ready within {_READY_SECONDS:.0f} s; see {household.log_of(name)}."
    raise ServerError(msg)
