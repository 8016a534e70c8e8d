"""prefect.yaml: every entrypoint loads, its parameters exist, every field is explained."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.flows import load_flow_from_entrypoint

from flows.serving.orchestration import POOLS

ROOT = Path(__file__).parents[3]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
EVERY = {"monitor", "refresh", "retrain", "promote", "rollback", "forget", "maintain", "verify"}

by_name = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])


def flow_of(deployment: dict[str, Any]) -> Flow[..., object]:
    found: Flow[..., object] = load_flow_from_entrypoint(deployment["entrypoint"])
    return found


def test_there_is_a_deployment_for_every_flow():
    assert {each["name"] for each in DEPLOYMENTS} == EVERY


@by_name
def test_every_entrypoint_loads_and_takes_its_parameters(deployment: dict[str, Any]):
    flow = flow_of(deployment)

    assert flow.name == deployment["name"]
    accepted = inspect.signature(flow.fn).parameters
    assert set(deployment.get("parameters", {})) <= set(accepted)
    for schedule in deployment.get("schedules", []):
        assert set(schedule.get("parameters", {})) <= set(accepted)


@by_name
def test_every_field_of_a_form_is_named_and_explained(deployment: dict[str, Any]):
    fields = flow_of(deployment).parameters.properties

    assert all(field["title"][0].isupper() for field in fields.values())
    assert all(field.get("description") for field in fields.values())


@by_name
def test_every_deployment_is_described_in_markdown_and_tagged(deployment: dict[str, Any]):
    assert deployment["description"].startswith("**")
    assert deployment["tags"][0] == "driftline"  # what finds runs that died


@pytest.mark.parametrize(
    ("name", "given"),
    [
        pytest.param("refresh", {"kb": ""}, id="no-knowledge-base"),
        pytest.param("refresh", {"kb": "docs", "accept": "not hex"}, id="no-digest"),
        pytest.param("promote", {"kb": "docs", "evidence": "abc", "by": "Ada"}, id="few-digits"),
        pytest.param("promote", {"kb": "docs", "evidence": "0" * 12, "by": ""}, id="nobody"),
        pytest.param("verify", {"depth": "deep"}, id="no-such-depth"),
        pytest.param("forget", {"kb": "docs", "uris": [], "by": "Ada"}, id="no-documents"),
        pytest.param("rollback", {"kb": "docs", "release": "3f", "by": "Ada"}, id="short-release"),
    ],
)
def test_what_a_form_refuses_a_run_refuses(name: str, given: dict[str, Any]):
    [deployment] = [each for each in DEPLOYMENTS if each["name"] == name]

    with pytest.raises(ParameterTypeError):
        flow_of(deployment).validate_parameters(given)


def test_every_work_pool_is_created():
    assert {deployment["work_pool"]["name"] for deployment in DEPLOYMENTS} == set(POOLS)


def test_retraining_has_a_work_pool_of_its_own():
    pools = {deployment["name"]: deployment["work_pool"]["name"] for deployment in DEPLOYMENTS}

    assert [name for name, pool in pools.items() if pool == "driftline-gpu"] == ["retrain"]
