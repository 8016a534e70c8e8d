"""What a wheel needs besides code is named in pyproject.toml: it runs without the checkout."""

import tomllib
from pathlib import Path

import pytest
import yaml

from flows.serving.deployment_plan import FILE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("flows", "monitors", "retrieval", "training")


def data_files() -> list[Path]:
    """Return what lies among the packages and is no code."""
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix not in {".py", ".pyc"})


@pytest.mark.parametrize("file", data_files(), ids=lambda file: file.name)
def test_a_file_that_is_no_code_goes_into_the_wheel(file: Path):
    declared = PROJECT["tool"]["setuptools"]["package-data"]

    packed = {
        path
        for package, patterns in declared.items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }

    assert file in packed


def test_the_deployments_of_a_wheel_are_those_at_the_top():
    assert FILE.read_bytes() == (ROOT / "prefect.yaml").read_bytes()


def test_a_deployment_begins_in_a_module_and_not_in_a_file_of_the_checkout():
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]

    assert all(each["entrypoint"].startswith("flows.") for each in found)
    assert not any(".py" in each["entrypoint"] for each in found)
