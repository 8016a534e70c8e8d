"""`driftline up` as a person uses it: all is there, runs by schedule, by hand and by event."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.flows.serving.conftest import ROOT, Served, until

pytestmark = pytest.mark.slow


def test_every_deployment_of_prefect_yaml_is_there_with_its_pool(served: Served):
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]

    found = served.api("/deployments/filter")

    assert {(d["name"], d["work_pool_name"]) for d in found} == {
        (d["name"], d["work_pool"]["name"]) for d in declared
    }


def test_one_runner_works_both_pools_in_one_process(served: Served):
    started = [each.cmdline()[1:] for each in served.processes() if "-m" in each.cmdline()]

    modules = {each[each.index("-m") + 1] for each in started}

    assert sorted(modules - {"prefect.engine"}) == [
        "flows.serving.mlflow_app",
        "flows.serving.runner",
        "prefect",
    ]


def test_a_schedule_has_its_runs_ahead(served: Served):
    def ahead() -> set[str]:
        states = {"state": {"type": {"any_": ["SCHEDULED"]}}}
        runs = served.runs(flow_runs=states, limit=200)
        return {run["deployment_id"] for run in runs if run["auto_scheduled"]}

    scheduled = {
        name: served.api(f"/deployments/name/{name}/{name}", method="GET")["id"]
        for name in ("monitor", "maintain", "verify")
    }

    assert until(lambda: set(scheduled.values()) <= ahead())


def test_a_run_by_hand_is_found_in_mlflow_and_leaves_a_timeline(
    served: Served, checked: dict[str, Any]
):
    assert checked["state_name"] == "Completed", checked["state"]
    assert checked["name"].startswith("Check docs, due 20")
    checks = [run for run in served.mlflow_runs() if run["driftline.role"] == "check"]
    assert checks[0]["driftline.action"] == "none"
    latest = served.api("/artifacts/latest/filter", {"artifacts": {"key": {"like_": "check-docs"}}})
    assert latest[0]["type"] == "markdown"
    assert latest[0]["data"].startswith("**none**")


def test_a_typed_mistake_is_refused_by_the_form(served: Served):
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deployment", "run", "refresh/refresh",
         "--param", "kb=dosc"],
        env=served.environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )  # fmt: skip

    assert done.returncode != 0
    assert "'dosc' is not one of ['docs']" in " ".join((done.stdout + done.stderr).split())


def test_an_event_starts_a_check_and_a_burst_starts_one(served: Served):
    def started() -> list[dict[str, object]]:
        runs = served.runs(flows={"name": {"any_": ["monitor"]}})
        return [run for run in runs if str(run["idempotency_key"]).startswith("automation")]

    before = len(started())

    for _ in range(5):
        served.emit("driftline.documents.changed", "driftline.kb.docs")

    [run] = until(started)[before:] or [{}]
    ended = served.ended(str(run["id"]))
    assert ended["parameters"] == {"kb": "docs"}
    assert ended["state_type"] == "COMPLETED"


def test_a_retraining_is_asked_for_once_and_again_only_if_it_broke(served: Served):
    program = (
        "from flows.telling.retraining_requests import ask_deployment as ask; "
        "from flows.records import Request; "
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
            cwd=ROOT,
        )
        return done.stdout.splitlines()

    def broken() -> int:
        runs = served.runs(flow_runs={"state": {"type": {"any_": ["FAILED"]}}})
        return sum(run["parameters"].get("kb") == "nobody" for run in runs)

    first, second = asked()
    assert first == second
    assert until(lambda: broken() == 1)
    third, fourth = asked()

    assert third == fourth != first


def test_a_second_server_on_the_same_port_is_refused(served: Served):
    done = served.driftline("up", "--json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "PORT_TAKEN"
