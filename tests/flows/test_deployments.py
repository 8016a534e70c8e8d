"""prefect.yaml: every entrypoint loads, and every parameter it sets exists."""

import inspect
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from flows.orchestration import POOLS

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_every_entrypoint_loads_and_takes_its_parameters(
    deployment, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)

    flow: Flow[..., object] = load_flow_from_entrypoint(deployment["entrypoint"])

    assert isinstance(flow, Flow)
    assert flow.name == deployment["name"]
    accepted = inspect.signature(flow.fn).parameters
    assert set(deployment.get("parameters", {})) <= set(accepted)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_every_parameter_is_explained_in_the_form(deployment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    flow: Flow[..., object] = load_flow_from_entrypoint(deployment["entrypoint"])

    properties = flow.parameters.properties

    assert all(field.get("description") for field in properties.values())


def test_every_work_pool_is_created():
    assert {deployment["work_pool"]["name"] for deployment in DEPLOYMENTS} == set(POOLS)


def test_retraining_has_a_work_pool_of_its_own():
    pools = {deployment["name"]: deployment["work_pool"]["name"] for deployment in DEPLOYMENTS}

    assert pools["retrain"] not in {pools["monitor"], pools["refresh"]}
