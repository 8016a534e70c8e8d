"""A server that is away is told within seconds, with a code, and without its password."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import reaching
from flows.errors import ClusterUnavailableError, TrackingUnavailableError
from flows.fan_out import fan_out_of
from flows.reaching import require_cluster, require_tracking
from flows.settings.scale import Scale
from flows.settings.settings import load_settings
from tests.flows.conftest import Place


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "postgresql", "postgresql+psycopg"])
def test_mlflow_that_is_away_is_told_without_its_password(scheme: str, free_port: int):
    with pytest.raises(TrackingUnavailableError) as told:
        require_tracking(f"{scheme}://u:kestrel@127.0.0.1:{free_port}/mlflow")

    assert f"127.0.0.1:{free_port}" in str(told.value)
    assert "refused" in str(told.value)
    assert "kestrel" not in str(told.value)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_is_away_is_told(address: str, free_port: int):
    with pytest.raises(ClusterUnavailableError, match=str(free_port)):
        require_cluster(address.format(free_port))


def test_whoever_takes_calls_is_there(taken_port: int):
    require_tracking(f"http://127.0.0.1:{taken_port}")
    require_cluster(f"tcp://127.0.0.1:{taken_port}")


@pytest.mark.parametrize(
    "uri", ["sqlite:////home/mlflow.db", "postgresql:///mlflow?host=/run", "databricks", "auto"]
)
def test_what_has_no_host_is_left_to_the_library(uri: str):
    require_tracking(uri)
    require_cluster(uri if ":" not in uri else "auto")


def test_an_address_behind_a_proxy_is_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch, free_port: int
):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    require_tracking(f"http://tracking.invalid:{free_port}")


def test_a_check_without_its_mlflow_fails_with_the_code_and_the_old_release_answers(
    place: Place, free_port: int
):
    settings = (place.folder / "driftline.toml").read_text()
    before = place.history()
    place.configure(settings + f'[mlflow]\ntracking_uri = "http://127.0.0.1:{free_port}"\n')

    done = place.run("monitor", "docs")

    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("TRACKING_UNAVAILABLE: MLflow at")
    assert place.history() == before


def test_a_refresh_is_not_begun_without_its_cluster(place: Place, free_port: int, tmp_path: Path):
    settings = load_settings(place.folder / "driftline.toml")
    scale = Scale(runner="dask", address=f"tcp://127.0.0.1:{free_port}")

    with (
        place.desk() as desk,
        pytest.raises(ClusterUnavailableError),
        fan_out_of(settings, scale, tmp_path / "fan-out", (desk, None)),  # type: ignore[arg-type]
    ):
        pass

    assert not (tmp_path / "fan-out").exists()
