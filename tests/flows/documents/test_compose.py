"""compose.yaml: what it names exists, what it sets is known, and only loopback is open."""

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_valid_setting_names

from flows import cli
from flows.serving.automations import HEARTBEAT_SECONDS
from flows.serving.orchestration import POOLS
from flows.settings.settings import load_settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
# The keys of the Compose specification that are used here: a typing mistake is none of them.
KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init",
    "ports", "restart", "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)(:?[?-])?([^}]*)\}")
FOREIGN = {
    "DO_NOT_TRACK",
    "HF_HUB_OFFLINE",
    "JOURNAL_URL",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_USERNAME",
    "OMP_WAIT_POLICY",
    "SERVERS_AUTH",
}


def environment(service: dict[str, Any]) -> dict[str, str]:
    return dict(service.get("environment", {}))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_only_keys_that_compose_knows(name: str):
    assert SERVICES[name].keys() <= KEYS
    assert SERVICES[name]["restart"]


@pytest.mark.parametrize("name", OURS)
def test_what_a_service_runs_is_there(name: str):
    program, *rest = OURS[name]["command"]

    if program == "python":
        assert importlib.util.find_spec(rest[rest.index("-m") + 1]) is not None
    elif program == "driftline":
        assert rest[0] in cli.COMMANDS
    else:
        assert program == "prefect"


def test_runs_say_that_they_live_before_they_are_taken_for_dead():
    workers = [service for service in OURS.values() if "--pool" in service["command"]]

    assert {environment(worker)["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] for worker in workers} == {
        str(HEARTBEAT_SECONDS)
    }


def test_each_work_pool_has_a_worker():
    commands = [service["command"] for service in OURS.values()]

    served = {command[command.index("--pool") + 1] for command in commands if "--pool" in command}

    assert served == set(POOLS)


@pytest.mark.parametrize("name", SERVICES)
def test_only_loopback_is_open_to_the_machine(name: str):
    ports = SERVICES[name].get("ports", [])

    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_whatever_listens_asks_for_a_password():
    assert "PREFECT_SERVER_API_AUTH_STRING" in environment(SERVICES["prefect"])
    assert "DRIFTLINE_SERVERS__AUTH_VARIABLE" in environment(SERVICES["mlflow"])
    assert "POSTGRES_PASSWORD" in environment(SERVICES["database"])


def test_every_secret_comes_from_the_environment_and_must_be_given():
    written = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    secrets = [found for found in _VARIABLE.finditer(written) if "PASSWORD" in found[1]]

    assert len(secrets) >= 6
    assert {found[2] for found in secrets} == {":?"}
    assert not re.search(r"(?:PASSWORD|AUTH|AUTH_STRING): [\w/:]+$", written, re.MULTILINE)


def test_the_example_names_every_variable_and_holds_no_password():
    lines = (FOLDER / "env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    named = {found[1] for found in _VARIABLE.finditer((ROOT / "compose.yaml").read_text())}

    assert given.keys() == named
    assert {name for name in given if "PASSWORD" in name and given[name]} == set()


@pytest.mark.parametrize("name", OURS)
def test_our_settings_know_every_name_and_every_value(name: str, monkeypatch: pytest.MonkeyPatch):
    for variable, value in environment(OURS[name]).items():
        if variable != "DRIFTLINE_CONFIG":
            monkeypatch.setenv(variable, _VARIABLE.sub("s3cret", value))

    settings = load_settings(FOLDER / "driftline.toml")

    reads_journal = "DRIFTLINE_JOURNAL__URL_VARIABLE" in environment(OURS[name])
    assert settings.journal_url.endswith("@database:5432/driftline") is reads_journal


@pytest.mark.parametrize("name", OURS)
def test_no_variable_is_one_that_nobody_reads(name: str):
    unknown = {
        variable
        for variable in environment(OURS[name])
        if not variable.startswith("DRIFTLINE_") and variable not in FOREIGN
    }

    assert unknown <= set(_get_valid_setting_names(PrefectSettings))


def test_services_wait_for_what_they_need():
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            wanted = {
                "service_healthy": "healthcheck" in SERVICES[needed],
                "service_completed_successfully": needed == "deploy",
            }
            assert wanted[how["condition"]]


def test_every_volume_and_file_is_there():
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [_VARIABLE.sub(r"\3", volume).split(":")[0] for volume in mounted]

    assert {each for each in files if not each.startswith(".")} == set(COMPOSE["volumes"])
    assert all((ROOT / each).exists() for each in files if each.startswith("."))
    assert (ROOT / OURS["mlflow"]["build"]["dockerfile"]).is_file()


def test_the_image_has_every_package_and_extra_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    recipe = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    found = re.search(r"\.\[([\w,]+)\]", recipe)

    assert found is not None
    assert set(found[1].split(",")) <= project["project"]["optional-dependencies"].keys()
    assert all(f"COPY {name.removesuffix('*')} " in recipe for name in packages)
    assert re.search(r"^USER (?!root)\w+$", recipe, re.MULTILINE)
