"""Everything that serves, in one command: Prefect server, MLflow and a worker per work pool."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.errors import PortTakenError, ServerError
from flows.orchestration import POOLS
from flows.settings import Settings

_READY_SECONDS = 180.0
_STOP_SECONDS = 20.0
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to look."""

    prefect: str
    mlflow: str


Say = Callable[[str], None]


@contextmanager
def serving(settings: Settings, say: Say) -> Iterator[tuple[Addresses, Callable[[], None]]]:
    """Start all, yield the addresses and a function that waits; stop all at the end.

    The function returns when asked to by an interrupt and raises ServerError if one stops by
    itself.
    """
    servers = settings.servers
    host = servers.host
    prefect, mlflow = (f"http://{host}:{p}" for p in (servers.prefect_port, servers.mlflow_port))
    for port in (servers.prefect_port, servers.mlflow_port):
        _refuse_taken(host, port)
    environment = _environment(settings, prefect)
    started: dict[str, subprocess.Popen[bytes]] = {}
    logs = settings.home_folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def start(name: str, *command: str) -> None:
            started[name] = stack.enter_context(_process(name, command, environment, logs))

        say("Starting the Prefect server and MLflow …")
        start("prefect", "prefect", "server", "start", "--host", host,
              "--port", str(servers.prefect_port))  # fmt: skip
        if not settings.tracking_uri.startswith("http"):
            start("mlflow", "mlflow", "server", "--host", host, "--port",
                  str(servers.mlflow_port), "--workers", "1",
                  "--backend-store-uri", settings.tracking_uri)  # fmt: skip
            _wait(f"{mlflow}/health", "mlflow", started, logs)
        else:
            mlflow = settings.tracking_uri
        _wait(f"{prefect}/api/health", "prefect", started, logs)
        say("Deploying prefect.yaml …")
        _deploy(environment)
        for pool in POOLS:
            start(pool, "prefect", "worker", "start", "--pool", pool, "--type", "process")
        yield Addresses(prefect, mlflow), lambda: _watch(started, logs)


def _environment(settings: Settings, prefect: str) -> dict[str, str]:
    return {
        **os.environ,
        "DO_NOT_TRACK": "true",
        "DRIFTLINE_CONFIG": str(settings.file),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 10
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_HOME": str(settings.home_folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


@contextmanager
def _process(
    name: str, command: tuple[str, ...], environment: dict[str, str], logs: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of this Python in a session of its own, so that Ctrl-C reaches only us."""
    with (logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=_ROOT,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: asked first, then made to."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _deploy(environment: dict[str, str]) -> None:
    commands = (
        ("flows.orchestration",),
        ("prefect", "--no-prompt", "deploy", "--all"),
    )
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=environment,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-800:]}"
            raise ServerError(msg)


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            msg = (
                f"Something already listens on {host}:{port}. Stop it, or choose another port in "
                "`[servers]` of the settings."
            )
            raise PortTakenError(msg)


def _wait(url: str, name: str, started: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        _refuse_stopped(started, logs)
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    msg = f"{name} was not ready within {_READY_SECONDS:.0f} s; see {logs / name}.log."
    raise ServerError(msg)


def _watch(started: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    while True:
        _refuse_stopped(started, logs)
        time.sleep(1.0)


def _refuse_stopped(started: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, process in started.items():
        if process.poll() is not None:
            msg = f"{name} stopped with status {process.returncode}; see {logs / name}.log."
            raise ServerError(msg)
