"""The registry on a real MLflow: versions tied to what they came from, files re-hashed."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from training.errors import AliasMovedError, ModelCorruptError, ModelMissingError
from training.files import write_whole
from training.models.adapter_files import (
    CONFIG,
    FORMAT,
    MANIFEST,
    WEIGHTS,
    adapter_digest,
    tokenizer_digest,
)
from training.records import Adapter, BaseModel, ModelVersion
from training.registry import Registry
from training.weighing import Change, Evaluation, Interval, Verdict

BASE = BaseModel("tiny", Path("/nowhere"), "b" * 64)
SCRIPT = Path(__file__).parents[2] / "flows" / "served_model.py"
OLD_TAGS = Path(__file__).parents[1] / "data" / "model-version-1.json"
CARD = "## A card\n\n| what | value |\n|---|---|\n| F1 | 0.50 |"


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, MlflowClient, str]:
    """Return one database for the session: migrating a fresh one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow with space")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("e", artifact_location=(folder / "artifacts").as_uri())
    return uri, client, experiment


@pytest.fixture
def registry(tracking: tuple[str, MlflowClient, str]) -> Registry:
    return Registry(tracking[0], served_by=SCRIPT)


@pytest.fixture
def new_run(tracking: tuple[str, MlflowClient, str]) -> Callable[[], str]:
    _, client, experiment = tracking
    return lambda: str(client.create_run(experiment).info.run_id)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"driftline-{request.node.name}"


@pytest.fixture
def small(tmp_path: Path) -> Adapter:
    """Return an adapter folder as the registry sees one: two files and their manifest."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / CONFIG).write_text('{"peft_type": "LORA", "r": 4}')
    (folder / WEIGHTS).write_bytes(bytes(range(256)) * 8)
    digest = adapter_digest(folder)
    manifest = {"format": FORMAT, "digest": digest, "base_digest": BASE.digest, "tokens": 5}
    manifest |= {"seconds": 1, "started_from": "s" * 64}
    write_whole(folder / MANIFEST, json.dumps(manifest).encode())
    return Adapter(folder, digest, BASE.digest, 5, rank=4, started_from="s" * 64)


def weighed() -> Evaluation:
    """Return an evaluation of three measures; of all others there were no rows."""
    return Evaluation(
        new=Change(1.0, 0.95, Interval(-0.05, -0.07, -0.03), rows=24, documents=6),
        old=Change(),
        learning=Change(0.0, 0.0, Interval(-0.02, -0.03, -0.01), rows=24, documents=6),
        f1=Change(0.2, 0.5, Interval(0.3, 0.2, 0.4), rows=40, documents=10),
    )


def registered(
    registry: Registry, name: str, run_id: str, adapter: Adapter | None, **changed: str
) -> ModelVersion:
    return registry.register(
        name=name,
        base=BASE,
        adapter=adapter,
        snapshot=changed.get("snapshot", "docs@7"),
        data_digest="d" * 64,
        requested_by="r" * 32,
        run_id=run_id,
        evaluation=weighed() if adapter else None,
        verdict=Verdict(True, "answers better") if adapter else None,
        card=CARD,
        reference="docs@5",
        champion=3 if adapter else None,
        parent_run="p" * 32,
    )


def test_a_version_says_all_that_it_came_from(
    registry: Registry,
    new_run: Callable[[], str],
    name: str,
    small: Adapter,
    tracking: tuple[str, MlflowClient, str],
) -> None:
    run_id = new_run()

    version = registered(registry, name, run_id, small)

    stored = tracking[1].get_model_version(name, str(version.version))
    assert version == registry.version(name, 1)
    assert (version.snapshot, version.run_id) == ("docs@7", run_id)
    assert (version.base_digest, version.adapter_digest) == (BASE.digest, small.digest)
    assert version.adapter_folder is not None
    assert adapter_digest(version.adapter_folder) == small.digest
    assert stored.description == CARD
    assert stored.run_id == run_id
    assert stored.tags["driftline.data_digest"] == "d" * 64
    assert stored.tags["driftline.requested_by"] == "r" * 32
    assert stored.tags["driftline.reason"] == "answers better"
    assert stored.tags["driftline.challenger_f1"] == "0.5000"
    assert stored.tags["driftline.challenger_new_bits"] == "0.9500"
    assert "driftline.challenger_old_bits" not in stored.tags
    assert stored.tags["driftline.reference"] == "docs@5"
    assert stored.tags["driftline.champion"] == "3"
    assert stored.tags["driftline.parent_run"] == "p" * 32
    assert stored.tags["driftline.started_from"] == "s" * 64
    assert stored.tags["driftline.base_name"] == BASE.name
    assert stored.tags["driftline.tokenizer_digest"] == tokenizer_digest(BASE)
    assert (version.adapter_folder.parents[1] / "card.md").read_text() == CARD


def test_registering_again_adopts_the_first_version(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    run_id = new_run()
    first = registered(registry, name, run_id, small)

    again = registered(registry, name, run_id, small, snapshot="docs@8")

    assert again == first
    with pytest.raises(ModelMissingError):
        registry.version(name, 2)


def test_another_run_makes_another_version(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    versions = [registered(registry, name, new_run(), small).version for _ in range(2)]

    assert versions == [1, 2]


def test_the_same_run_under_another_name_is_another_model(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    run_id = new_run()
    registered(registry, name, run_id, small)

    other = registered(registry, f"{name}-other", run_id, small)

    assert (other.name, other.version) == (f"{name}-other", 1)


def test_the_bare_base_model_is_a_version_without_an_adapter(
    registry: Registry, new_run: Callable[[], str], name: str
) -> None:
    version = registered(registry, name, new_run(), None)

    assert version.adapter_folder is None
    assert version.adapter_digest == ""
    assert version.base_digest == BASE.digest


def test_the_version_outlives_the_folder_that_was_trained_into(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    registered(registry, name, new_run(), small)
    for path in small.folder.iterdir():
        path.unlink()

    folder = registry.version(name, 1).adapter_folder

    assert folder is not None
    assert adapter_digest(folder) == small.digest


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, MANIFEST])
def test_a_damaged_artifact_is_refused(
    file: str, registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    folder = registered(registry, name, new_run(), small).adapter_folder
    assert folder is not None
    content = bytearray((folder / file).read_bytes())
    content[10] ^= 1
    (folder / file).write_bytes(content)

    with pytest.raises(ModelCorruptError):
        registry.version(name, 1)


def test_an_artifact_swapped_with_its_manifest_is_refused_by_the_tag(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    folder = registered(registry, name, new_run(), small).adapter_folder
    assert folder is not None
    (folder / WEIGHTS).write_bytes(b"other weights")
    manifest = (folder / MANIFEST).read_text().replace(small.digest, adapter_digest(folder))
    (folder / MANIFEST).write_text(manifest)

    with pytest.raises(ModelCorruptError, match="not the one registered"):
        registry.version(name, 1)


def test_an_alias_moves_from_where_it_is_expected(
    registry: Registry, new_run: Callable[[], str], name: str, small: Adapter
) -> None:
    first = registered(registry, name, new_run(), None)
    second = registered(registry, name, new_run(), small)
    registry.point(name, "champion", first.version, expected=None)
    registry.point(name, "challenger", second.version, expected=None)

    registry.point(name, "champion", second.version, expected=first.version)

    assert registry.aliased(name, "champion") == second
    assert registry.aliased(name, "challenger") == second


@pytest.mark.parametrize(
    ("there", "expected", "told"),
    [
        (1, None, "points at version 1, not at no version"),
        (1, 2, "points at version 1, not at version 2"),
        (None, 1, "points at no version, not at version 1"),
    ],
)
def test_an_alias_that_was_moved_meanwhile_is_left_alone(
    there: int | None,
    expected: int | None,
    told: str,
    registry: Registry,
    new_run: Callable[[], str],
) -> None:
    name = f"driftline-moved-{there}-{expected}"  # brackets of a table's id end a filter
    versions = [registered(registry, name, new_run(), None).version for _ in range(3)]
    if there:
        registry.point(name, "champion", there, expected=None)

    with pytest.raises(AliasMovedError, match=told):
        registry.point(name, "champion", versions[-1], expected=expected)

    assert registry.pointed(name, "champion") == there


def test_an_alias_that_an_earlier_try_moved_stays(
    registry: Registry, new_run: Callable[[], str], name: str
) -> None:
    for _ in range(2):
        registered(registry, name, new_run(), None)
    registry.point(name, "champion", 1, expected=None)
    registry.point(name, "champion", 2, expected=1)

    registry.point(name, "champion", 2, expected=1)

    assert registry.pointed(name, "champion") == 2


def test_an_alias_that_points_nowhere_is_none(
    registry: Registry, new_run: Callable[[], str], name: str
) -> None:
    assert registry.aliased(name, "champion") is None
    assert registry.pointed(name, "champion") is None

    registered(registry, name, new_run(), None)

    assert registry.aliased(name, "champion") is None


def test_a_missing_version_and_a_foreign_one_are_told_apart(
    registry: Registry, name: str, tracking: tuple[str, MlflowClient, str]
) -> None:
    client = tracking[1]
    client.create_registered_model(name)
    client.create_model_version(name, "file:///elsewhere")

    with pytest.raises(ModelMissingError, match="has no version 9"):
        registry.version(name, 9)
    with pytest.raises(ModelCorruptError, match=r"lacks the tag 'driftline\.snapshot'"):
        registry.version(name, 1)


def test_a_run_id_that_could_end_the_filter_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(ValueError, match="Not an MLflow run id"):
        registered(registry, name, "x' OR '1'='1", None)


def test_what_an_earlier_try_uploaded_is_completed(
    registry: Registry,
    new_run: Callable[[], str],
    name: str,
    small: Adapter,
    tracking: tuple[str, MlflowClient, str],
) -> None:
    """A run that was killed between two uploads is finished, not doubled."""
    run_id = new_run()
    tracking[1].log_artifact(run_id, str(small.folder / CONFIG), "model/artifacts/adapter")

    version = registered(registry, name, run_id, small)

    assert version.version == 1
    assert version == replace(registry.version(name, 1))


def test_what_was_not_uploaded_whole_is_no_version(
    registry: Registry,
    new_run: Callable[[], str],
    name: str,
    small: Adapter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id, log = new_run(), MlflowClient.log_artifacts

    def cut(self: MlflowClient, run: str, folder: str, place: str) -> None:
        (weights,) = Path(folder).rglob(WEIGHTS)
        weights.write_bytes(weights.read_bytes()[:-1])
        log(self, run, folder, place)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_artifacts", cut)
        with pytest.raises(ModelCorruptError, match="is not the one that was trained"):
            registered(registry, name, run_id, small)

    with pytest.raises(ModelMissingError):
        registry.version(name, 1)
    assert registered(registry, name, run_id, small).version == 1


def test_a_version_from_before_there_were_served_models_still_loads(
    registry: Registry,
    new_run: Callable[[], str],
    name: str,
    small: Adapter,
    tracking: tuple[str, MlflowClient, str],
) -> None:
    client, run_id = tracking[1], new_run()
    for file in (CONFIG, WEIGHTS, MANIFEST):
        client.log_artifact(run_id, str(small.folder / file), "adapter")
    kept = OLD_TAGS.read_text().replace("RUN", run_id).replace("ADAPTER", small.digest)
    source = f"{client.get_run(run_id).info.artifact_uri}/adapter"
    client.create_registered_model(name)
    client.create_model_version(name, source, run_id=run_id, tags=json.loads(kept))

    version = registry.version(name, 1)

    assert (version.snapshot, version.run_id) == ("docs@7", run_id)
    assert (version.base_digest, version.adapter_digest) == (BASE.digest, small.digest)
    assert version.adapter_folder is not None
    assert adapter_digest(version.adapter_folder) == small.digest
    assert registered(registry, name, run_id, small) == version


def test_the_registry_imports_neither_torch_nor_mlflow_until_it_is_used() -> None:
    told = "import sys, training.registry; print({'torch', 'mlflow'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", told],
        capture_output=True,
        check=True,
        cwd=SCRIPT.parents[1],
        text=True,
    )

    assert done.stdout.strip() == "set()"
