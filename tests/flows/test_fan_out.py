"""A refresh in a flow of Prefect, spread over a local Dask cluster: the same release, always."""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from prefect import flow

from flows.desk import open_desk
from flows.fan_out import batch
from flows.refresh import refresh
from flows.serving.task_steps import as_task
from flows.settings.settings import load_settings
from flows.steps import Perform, quietly
from retrieval.fan_out import FanOut
from retrieval.fan_out_files import Batch, read_batch, write_batch
from tests.retrieval.builders import paragraph
from tests.retrieval.test_embedding_endpoint import Answer, Endpoint, right
from training.records import ModelVersion

pytestmark = pytest.mark.slow

_FIRST = ModelVersion("driftline-docs", 1, "docs@1", "base", "adapter", None, "run")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few documents be many batches; a first champion takes a base model and MLflow."""
    small = partial(FanOut, batch_documents=6, batch_texts=8)
    monkeypatch.setattr("flows.fan_out.FanOut", small)
    monkeypatch.setattr("flows.refresh.first_champion", lambda *_: _FIRST)


@dataclass(frozen=True)
class Spreading:
    """A folder of documents in two formats, to be refreshed by settings of a test's choice."""

    folder: Path
    endpoint: Endpoint

    def refresh(self, name: str, scale: str, perform: Perform = quietly) -> Any:
        """Refresh into a home of that name; return what the release is made of."""
        config = self.folder / f"{name}.toml"
        config.write_text(
            f'home = "{name}"\n[embedder]\nmodel = "m"\naddress = "{self.endpoint.address}"\n'
            f'max_tokens = 64\ndimension = 8\n[kb.docs.source]\npath = "docs"\n{scale}',
            encoding="utf-8",
        )
        with open_desk(load_settings(config), "docs") as desk:
            outcome = refresh_without_mlflow(desk, perform)
        assert list((desk.folder / "fan-out").glob("*")) == []
        return outcome


def refresh_without_mlflow(desk: Any, perform: Perform) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(desk.tracker), "record_refresh", lambda *_: None)
        return refresh(desk, perform)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "docs"
    folder.mkdir()
    for at in range(24):
        told = paragraph(str(at), words=40)
        (folder / f"{at:02}.md").write_text(f"# Note {at}\n\n{told}\n")
        (folder / f"{at:02}.html").write_text(f"<h1>Page {at}</h1><p>{told[::-1]}</p>")
    (folder / "empty.md").write_text(" ")
    return folder


@pytest.fixture
def spreading(tmp_path: Path, documents: Path, endpoint: Endpoint) -> Spreading:
    shutil.copytree(documents, tmp_path / "docs")
    endpoint.next_answers.clear()
    return Spreading(tmp_path, endpoint)


def in_a_flow(spreading: Spreading, name: str, scale: str) -> Any:
    @flow(name="refresh")
    def refreshed() -> Any:
        return spreading.refresh(name, scale, as_task)

    return refreshed()


def kill_a_worker(request: dict[str, Any]) -> dict[str, Any]:
    """End the process that asks, as the kernel does when memory runs out."""
    kill_a_worker.killed = [  # type: ignore[attr-defined]
        child.pid
        for child in psutil.Process().children(recursive=True)
        if any(connection.raddr for connection in child.net_connections() if is_to(connection))
    ][:1]
    for pid in kill_a_worker.killed:  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
    return right(request)


def is_to(connection: Any) -> bool:
    return bool(connection.raddr) and connection.raddr.port == kill_a_worker.port  # type: ignore[attr-defined]


DASK = '[scale]\nrunner = "dask"\nworkers = 2\n'


def test_two_dask_workers_make_the_release_that_one_process_makes(
    spreading: Spreading, prefect_server: None
):
    alone = spreading.refresh("alone", "")

    spread_out = in_a_flow(spreading, "spread", DASK)
    # A document is edited, and one batch wakes nobody: the run ends as it would alone.
    (spreading.folder / "docs" / "00.md").write_text("# Note 0\n\nEdited.\n")
    edited = spreading.refresh("alone", "")
    edited_spread = in_a_flow(spreading, "spread", DASK)

    assert spread_out.published.release.id == alone.published.release.id
    assert spread_out.plan.digest == alone.plan.digest
    assert edited_spread.published.release.id == edited.published.release.id != alone.published


def test_a_worker_killed_in_the_middle_changes_nothing(spreading: Spreading, prefect_server: None):
    alone = spreading.refresh("alone", "")
    kill_a_worker.port = spreading.endpoint.server_port  # type: ignore[attr-defined]
    # The first questions are the run's own: the probes of the model.
    spreading.endpoint.next_answers += [Answer(), Answer(), Answer(body=kill_a_worker)]

    spread_out = in_a_flow(spreading, "spread", DASK)

    assert len(kill_a_worker.killed) == 1  # type: ignore[attr-defined]
    assert spread_out.published.release.id == alone.published.release.id


def test_threads_do_too(spreading: Spreading, prefect_server: None):
    alone = spreading.refresh("alone", "")

    spread_out = in_a_flow(spreading, "spread", "[scale]\nworkers = 2\n")

    assert spread_out.published.release.id == alone.published.release.id
    assert parsers() == []


def parsers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if any("parsing_worker" in part for part in child.cmdline())
    ]


def test_outside_a_flow_nothing_is_spread(spreading: Spreading):
    config = spreading.folder / "driftline.toml"
    config.write_text(f'[kb.docs.source]\npath = "docs"\n{DASK}')

    with open_desk(load_settings(config), "docs") as desk:
        assert desk.fan_out is None


def test_a_task_parses_what_is_hostile_in_a_child(spreading: Spreading, tmp_path: Path):
    config = spreading.folder / "driftline.toml"
    config.write_text(
        f'[embedder]\nmodel = "m"\naddress = "{spreading.endpoint.address}"\nmax_tokens = 64\n'
        'dimension = 8\n[kb.docs.source]\npath = "docs"\n'
    )
    file = tmp_path / "cut-1"
    write_batch(file, Batch([{"uri": "a.html", "data": b"<p>Hello</p>", "media_type": None}]))

    receipt = batch.fn("cut", "cut-1", str(file), 64, str(config))

    [row] = read_batch(Path(f"{file}.answer"), receipt).rows
    assert row["chunks"][0]["text"] == "Hello"
    assert len(parsers()) == 1
