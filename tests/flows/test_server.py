"""The whole product on real servers: `driftline up`, a schedule, a run by hand, MLflow."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "examples" / "handbook" / "v1" / "billing"
PATIENCE_SECONDS = 240.0

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Served:
    """Servers that `driftline up` started, and where they are."""

    process: subprocess.Popen[str]
    folder: Path
    prefect: str
    mlflow: str
    environment: dict[str, str]

    def prefect_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )

    def post(self, server: str, path: str, **body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{server}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
            return json.load(response)

    def flow_runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post(f"{self.prefect}/api", "/flow_runs/filter")
        return found

    def mlflow_runs(self) -> list[dict[str, str]]:
        api = "/api/2.0/mlflow"
        found = self.post(self.mlflow, f"{api}/experiments/search", max_results=10)["experiments"]
        ids = [e["experiment_id"] for e in found if e["name"] == "driftline-docs"]
        runs = self.post(self.mlflow, f"{api}/runs/search", experiment_ids=ids).get("runs", [])
        return [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in runs]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run `driftline up` on a knowledge base of four documents, as a person would."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(HANDBOOK, folder / "docs")
    prefect_port, mlflow_port = free_port(), free_port()
    (folder / "driftline.toml").write_text(
        f"[servers]\nprefect_port = {prefect_port}\nmlflow_port = {mlflow_port}\n"
        '[kb.docs.source]\npath = "docs"\n'
    )
    environment = {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{prefect_port}/api",
        "PREFECT_HOME": str(folder / ".driftline" / "prefect"),
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
    addresses = json.loads(line)
    try:
        yield Served(process, folder, addresses["prefect"], addresses["mlflow"], environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def until(true: Callable[[], bool]) -> bool:
    """Return whether something came true in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(1)
    return False


def of_kind(runs: list[dict[str, Any]], state: str, *, scheduled: bool) -> list[dict[str, Any]]:
    return [
        run for run in runs if run["state_type"] == state and run["auto_scheduled"] is scheduled
    ]


def test_every_deployment_of_prefect_yaml_is_there_with_its_pool(served: Served):
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]

    found = served.post(f"{served.prefect}/api", "/deployments/filter")

    assert {(d["name"], d["work_pool_name"]) for d in found} == {
        (d["name"], d["work_pool"]["name"]) for d in declared
    }


def test_a_scheduled_run_appears_and_finishes(served: Served):
    assert until(lambda: bool(of_kind(served.flow_runs(), "SCHEDULED", scheduled=True)))

    served.prefect_command(
        "deployment", "schedule", "create", "monitor/monitor", "--interval", "20"
    )

    finished = until(lambda: bool(of_kind(served.flow_runs(), "COMPLETED", scheduled=True)))
    served.prefect_command("deployment", "schedule", "clear", "monitor/monitor", "--accept-yes")
    states = {run["state_name"] for run in served.flow_runs()}
    assert finished, f"no scheduled run finished; states: {states}"


def test_a_run_by_hand_is_found_in_mlflow(served: Served):
    before = len(served.mlflow_runs())

    served.prefect_command("deployment", "run", "monitor/monitor", "--param", "kb=docs", "--watch")

    runs = served.mlflow_runs()
    checks = [run for run in runs if run["driftline.role"] == "check"]
    assert len(runs) > before
    assert checks[0]["driftline.action"] == "none"
    assert checks[0]["driftline.snapshot"] == "docs@2"


def test_a_typed_mistake_fails_the_run_with_its_sentence(served: Served):
    with pytest.raises(subprocess.CalledProcessError):
        served.prefect_command(
            "deployment", "run", "refresh/refresh", "--param", "kb=dosc", "--watch"
        )

    failed = of_kind(served.flow_runs(), "FAILED", scheduled=False)[0]
    assert "No knowledge base 'dosc'" in failed["state"]["message"]


def test_a_retraining_is_asked_for_once_and_again_only_if_it_broke(served: Served):
    program = (
        "from flows.deployments import ask_deployment as ask; from flows.records import Request; "
        "request = Request('nobody', 'nobody@1', 'because', '', 'key'); "
        "print(ask(request)); print(ask(request))"
    )

    def asked() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=served.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    def retrainings(state: str) -> int:
        runs = of_kind(served.flow_runs(), state, scheduled=False)
        return sum(run["parameters"].get("kb") == "nobody" for run in runs)

    first, second = asked()
    assert first == second
    assert until(lambda: retrainings("FAILED") == 1)
    third, fourth = asked()

    assert third == fourth != first


def test_a_second_server_on_the_same_port_is_refused(served: Served):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "up"],
        cwd=served.folder,
        env=served.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "Something already listens" in done.stderr
