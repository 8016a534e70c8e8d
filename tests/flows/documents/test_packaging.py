"""What is installed from a wheel runs without the checkout: nothing is missing in it."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PACKAGES = ("flows", "monitors", "retrieval", "training")
BESIDE = ("pyproject.toml", "prefect.yaml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Build a wheel of a copy of the tree, with what is installed here."""
    tree, made = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
    for name in BESIDE:
        shutil.copy(ROOT / name, tree / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(made)]
    subprocess.run([*pip, *alone, str(tree)], check=True)
    (file,) = made.glob("*.whl")
    return ZipFile(file)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: ZipFile):
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    needed = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}

    assert needed - set(wheel.namelist()) == set()


def test_the_deployments_of_a_wheel_are_those_at_the_top(wheel: ZipFile):
    packed = wheel.read("flows/serving/prefect.yaml")

    assert packed == (ROOT / "prefect.yaml").read_bytes()


def test_a_deployment_begins_in_a_module_and_not_in_a_file_of_the_checkout():
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]

    assert all(each["entrypoint"].startswith("flows.") for each in found)
    assert not any(".py" in each["entrypoint"] for each in found)
