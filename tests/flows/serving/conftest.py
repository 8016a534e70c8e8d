"""One `driftline up` for every test that needs real servers: ready once, ended with the session."""

from __future__ import annotations

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
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[3]
HANDBOOK = ROOT / "examples" / "handbook" / "v1" / "billing"
PATIENCE_SECONDS = 240.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(true: Callable[[], Any]) -> Any:
    """Return what came true in time, or the last that did not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.5)
    return true()


@dataclass(frozen=True)
class Served:
    """Servers that `driftline up` started, and where they are."""

    process: subprocess.Popen[str]
    folder: Path
    said: dict[str, Any]
    environment: dict[str, str]

    @property
    def prefect(self) -> str:
        address: str = self.said["prefect"]
        return address

    @property
    def mlflow(self) -> str:
        address: str = self.said["mlflow"]
        return address

    def driftline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def api(self, path: str, body: Any = None, *, method: str = "POST") -> Any:
        return self._ask(f"{self.prefect}/api{path}", body, method)

    def start(self, deployment: str, **body: Any) -> str:
        """Start a run of a deployment over plain HTTP, as another program would; return its id."""
        found = self.api(f"/deployments/name/{deployment}/{deployment}", method="GET")
        run_id: str = self.api(f"/deployments/{found['id']}/create_flow_run", body)["id"]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api(f"/flow_runs/{run_id}", method="GET")
        return found

    def ended(self, run_id: str) -> dict[str, Any]:
        """Return a run when it has ended, or as it is when patience ends."""
        last = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        until(lambda: self.run(run_id)["state_type"] in last)
        return self.run(run_id)

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("/flow_runs/filter", filters)
        return found

    def emit(self, event: str, resource: str) -> None:
        occurred = datetime.now(UTC).isoformat()
        about = {"prefect.resource.id": resource}
        told = {"event": event, "resource": about, "occurred": occurred, "id": str(uuid.uuid4())}
        self.api("/events", [told])

    def processes(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def runner(self) -> psutil.Process:
        return next(each for each in self.processes() if "flows.serving.runner" in each.cmdline())

    def mlflow_runs(self) -> list[dict[str, str]]:
        api = f"{self.mlflow}/api/2.0/mlflow"
        found = self._ask(f"{api}/experiments/search", {"max_results": 10}, "POST")["experiments"]
        ids = [e["experiment_id"] for e in found if e["name"] == "driftline-docs"]
        runs = self._ask(f"{api}/runs/search", {"experiment_ids": ids}, "POST").get("runs", [])
        return [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in runs]

    def _ask(self, url: str, body: Any, method: str) -> Any:
        data = None if method == "GET" else json.dumps({} if body is None else body).encode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            url, data, {"Content-Type": "application/json"}, method=method
        )
        said = until(lambda: _answer(request))
        assert said is not None, f"{url} is busy"
        return json.loads(said) if said.strip() else None


def _answer(request: urllib.request.Request) -> bytes | None:
    """Return an answer, a space if it is empty; None while the server's database is busy."""
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
            return bytes(response.read()) or b" "
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            return None
        raise


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run `driftline up` on a knowledge base of four documents, as a person would."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(HANDBOOK, folder / "docs")
    prefect_port, mlflow_port = free_port(), free_port()
    (folder / "driftline.toml").write_text(
        f"[servers]\nprefect_port = {prefect_port}\nmlflow_port = {mlflow_port}\n"
        '[schedule]\nmonitor = "0 * * * *"\n'
        '[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n'
    )
    environment = {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{prefect_port}/api",
        "PREFECT_HOME": str(folder / ".driftline" / "prefect"),
        # A run is taken as soon as it is there, not up to ten seconds later.
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "up", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "driftline up stopped before it was ready"
    try:
        yield Served(process, folder, json.loads(line), environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="session")
def checked(served: Served) -> dict[str, Any]:
    """Return a check that was started by hand and has ended."""
    return served.ended(served.start("monitor", parameters={"kb": "docs"}))
