"""`models:/NAME@champion` in plain MLflow: a fresh process that knows the tracking URI only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from training.models.adapter_files import WEIGHTS, adapter_digest
from training.records import Adapter, BaseModel, ModelVersion
from training.registry import Registry

_SCRIPT = Path(__file__).parents[2] / "flows" / "served_model.py"
_ROW = {
    "question": "How long does the warranty last?",
    "passages": [{"title": "Warranty", "text": "The warranty lasts 14 months."}],
}
# Both forms that MLflow's own server takes: records, and a table.
_ASK = """
import json, sys
import mlflow
import pandas
row = json.loads(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[1])
said = model.predict([row]) + model.predict(pandas.DataFrame([row]))
print("SAID", json.dumps([each.model_dump() for each in said]))
"""


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("served")
    uri = f"sqlite:///{folder}/mlflow.db"
    artifacts = (folder / "artifacts").as_uri()
    return uri, str(MlflowClient(uri).create_experiment("served", artifact_location=artifacts))


@pytest.fixture
def register(
    tracking: tuple[str, str], request: pytest.FixtureRequest
) -> Callable[[BaseModel, Adapter | None], ModelVersion]:
    uri, experiment = tracking

    def registered(base: BaseModel, adapter: Adapter | None) -> ModelVersion:
        registry = Registry(uri, served_by=_SCRIPT)
        name = f"driftline-{request.node.name}"
        run_id = MlflowClient(uri).create_run(experiment).info.run_id
        version = registry.register(
            name=name,
            base=base,
            adapter=adapter,
            snapshot="docs@7",
            data_digest="",
            requested_by="",
            run_id=run_id,
            evaluation=None,
            verdict=None,
            card="## Card",
        )
        before = registry.pointed(name, "champion")
        registry.point(name, "champion", version.version, expected=before)
        return version

    return registered


@pytest.fixture
def asked(
    tracking: tuple[str, str], cache: Path, tmp_path: Path
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return what asks the champion of a name, in a process that knows the tracking URI only."""
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "MLFLOW_TRACKING_URI": tracking[0],
        "DRIFTLINE_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
        # As an installed package is found.
        "PYTHONPATH": str(_SCRIPT.parents[1]),
    }

    def ask(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", _ASK, f"models:/{name}@champion", json.dumps(_ROW)],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=environment,
            text=True,
            timeout=300,
        )

    return ask


@pytest.fixture
def installed(base: BaseModel) -> BaseModel:
    """Return the base model under a name that another process finds it by."""
    return replace(base, name=str(base.folder))


@pytest.mark.slow
@pytest.mark.parametrize("with_adapter", [False, True], ids=["base", "adapter"])
def test_the_champion_answers_in_plain_mlflow(
    with_adapter: bool,  # noqa: FBT001 - a parameter of the table
    register: Callable[[BaseModel, Adapter | None], ModelVersion],
    installed: BaseModel,
    adapter: Adapter,
    asked: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    version = register(installed, adapter if with_adapter else None)

    done = asked(version.name)

    assert done.returncode == 0, done.stderr[-2_000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("SAID ")]
    first, second = json.loads(line.removeprefix("SAID "))
    assert first == second
    assert "14 months" in first["answer"]
    assert (first["citations"], first["refused"]) == ([1], False)


@pytest.mark.slow
def test_a_tampered_adapter_is_refused_in_words(
    register: Callable[[BaseModel, Adapter | None], ModelVersion],
    installed: BaseModel,
    adapter: Adapter,
    asked: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    version = register(installed, adapter)
    assert version.adapter_folder is not None
    with (version.adapter_folder / WEIGHTS).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))

    done = asked(version.name)

    assert done.returncode != 0
    assert "is not the one that was trained" in done.stderr


@pytest.mark.slow
def test_another_base_model_under_the_same_name_is_refused_in_words(
    register: Callable[[BaseModel, Adapter | None], ModelVersion],
    installed: BaseModel,
    asked: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    version = register(replace(installed, digest="0" * 64), None)

    done = asked(version.name)

    assert done.returncode != 0
    assert "Install the same release of the base model" in done.stderr


@pytest.mark.slow
def test_a_version_holds_no_pickle_and_no_base_model(
    register: Callable[[BaseModel, Adapter | None], ModelVersion],
    installed: BaseModel,
    adapter: Adapter,
    tracking: tuple[str, str],
    tmp_path: Path,
) -> None:
    version = register(installed, adapter)
    source = MlflowClient(tracking[0]).get_model_version(version.name, "1").source
    folder = tmp_path / "copy"
    shutil.copytree(source.removeprefix("file://"), folder)

    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert files == {
        "MLmodel",
        "SHA256SUMS",
        "artifacts/adapter/adapter_config.json",
        "artifacts/adapter/adapter_model.safetensors",
        "artifacts/adapter/driftline.json",
        "card.md",
        "conda.yaml",
        "python_env.yaml",
        "requirements.txt",
        "served_model.py",
    }
    assert adapter_digest(folder / "artifacts" / "adapter") == adapter.digest
    assert "loader_module: mlflow.pyfunc.loaders.code_model" in (folder / "MLmodel").read_text()
