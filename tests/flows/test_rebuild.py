"""An index made anew: cut another way, or by another embedder, while the old one answers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from retrieval.refresh import EMBED_BATCH
from tests.flows.conftest import Place
from tests.retrieval.test_embedding_endpoint import Answer, Endpoint, changed

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).parents[2]
NAME = "billing/failed-payments.md"
QUESTION = "The grace period is 14 days from the invoice date."
SOURCE = '[kb.docs.source]\npath = "docs"\n'
SMALLER = "[kb.docs]\nchunk_tokens = 64\n" + SOURCE
KILLED = -9


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def served(endpoint: Endpoint, *, revision: str = "", max_tokens: int = 1_000) -> str:
    """Return settings with the endpoint as embedder; every byte counts as a token there."""
    return (
        f'[embedder]\nmodel = "m"\naddress = "{endpoint.address}"\nmax_tokens = {max_tokens}\n'
        f'revision = "{revision}"\nretry_seconds = 1\n{SOURCE}'
    )


def other_vectors() -> Answer:
    """Return what an endpoint says once it serves another model under the same name."""

    def turn(data: list[dict[str, Any]]) -> None:
        for row in data:
            row["embedding"] = row["embedding"][::-1]

    return changed(turn)


def hit(place: Place, *options: str) -> dict[str, Any]:
    ran = place.run("search", "docs", QUESTION, "--json", *options)
    assert ran.status == 0, ran.err
    found: dict[str, Any] = ran.json["hits"][0]
    return found


def test_cutting_another_way_is_one_release_that_reuses_vectors(place: Place):
    first = place.history()[0]
    before = hit(place)["text"]
    place.configure(SMALLER)

    planned = place.run("plan", "docs", "--json").json
    done = place.run("refresh", "docs", "--json")
    again = place.run("refresh", "docs", "--json")

    assert (planned["rebuild"], planned["unchanged"], planned["edited"]) == (True, 10, 0)
    assert done.status == 0
    assert done.json["snapshot"].startswith("docs@2.")
    assert done.json["embedded"] == planned["embedded"] > 0
    assert done.json["reused"] > 0
    assert [entry["snapshot"] for entry in place.history()] == ["docs@2", done.json["snapshot"]]
    assert (again.status, again.json["embedded"], again.json["rebuild"]) == (0, 0, False)
    assert len(hit(place)["text"]) < len(before)
    assert hit(place, "--as-of", first["release"])["text"] == before


def test_an_edit_after_a_rebuild_lands_in_the_new_index(place: Place):
    place.configure(SMALLER)
    place.run("refresh", "docs")
    place.edit(NAME, "The grace period is 14 days", "The grace period is 21 days")

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["edited"], done.json["embedded"]) == (0, 1, 1)
    assert done.json["snapshot"].startswith("docs@2.")
    assert "21 days" in hit(place)["text"]


def test_a_document_refused_at_a_rebuild_keeps_its_old_text(place: Place):
    (place.docs / NAME).write_bytes(b"\x00\x01\x02" * 100)
    place.configure(SMALLER)

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["rebuild"], done.json["kept"]) == (6, True, 1)
    found = hit(place)
    assert found["uri"] == NAME
    assert "14 days" in found["text"]
    assert found["stale"] == done.json["refused"][0]["reason"]


def test_to_an_endpoint_and_back_embeds_each_text_once(place: Place, endpoint: Endpoint):
    first = place.history()[0]
    before = hit(place)["text"]
    place.configure(served(endpoint))

    unfinished = place.run("search", "docs", QUESTION, "--json")
    over = place.run("refresh", "docs", "--json")
    elsewhere = hit(place)
    status = place.run("status", "--json").json["docs"]
    place.edit(NAME, "On day 15 an unpaid", "On day 16 an unpaid")
    place.configure(SOURCE)
    back = place.run("refresh", "docs", "--json")

    assert (unfinished.status, unfinished.json["error"]["code"]) == (4, "FULL_REBUILD_NEEDED")
    assert (over.status, over.json["rebuild"], over.json["reused"]) == (0, True, 0)
    assert status["snapshot"] == over.json["snapshot"]
    assert over.json["snapshot"].startswith("docs@2.")
    assert elsewhere["uri"] == NAME
    assert (back.status, back.json["rebuild"], back.json["edited"]) == (0, True, 1)
    assert back.json["snapshot"].startswith("docs@3.")
    assert back.json["embedded"] == 1
    assert hit(place)["text"] == before
    assert hit(place, "--as-of", first["release"])["text"] == before


def test_an_earlier_release_of_another_embedder_names_the_cure(place: Place, endpoint: Endpoint):
    first = place.history()[0]["release"]
    place.configure(served(endpoint))
    place.run("refresh", "docs")

    done = place.run("search", "docs", QUESTION, "--as-of", first, "--json")

    assert (done.status, done.json["error"]["code"]) == (4, "FULL_REBUILD_NEEDED")
    assert "under [embedder]" in done.err


def test_an_endpoint_that_changed_its_model_stops_the_refresh(place: Place, endpoint: Endpoint):
    place.configure(served(endpoint))
    place.run("refresh", "docs")
    release = place.history()[-1]["release"]
    endpoint.always = other_vectors()
    place.edit(NAME, "The grace period is 14 days", "The grace period is 21 days")

    stopped = place.run("refresh", "docs", "--json")
    meanwhile = hit(place)
    place.configure(served(endpoint, revision="2"))
    cured = place.run("refresh", "docs", "--json")

    assert (stopped.status, stopped.json["error"]["code"]) == (4, "FULL_REBUILD_NEEDED")
    assert "`revision`" in stopped.err
    assert "14 days" in meanwhile["text"]
    assert (cured.status, cured.json["rebuild"], cured.json["reused"]) == (0, True, 0)
    assert place.history()[-1]["release"] == cured.json["release"] != release
    assert "21 days" in hit(place)["text"]


def test_an_endpoint_that_is_gone_leaves_what_answers(place: Place, endpoint: Endpoint):
    place.configure(served(endpoint))
    endpoint.always = Answer(500)

    done = place.run("refresh", "docs", "--json")
    place.configure(SOURCE)

    assert (done.status, done.json["error"]["code"]) == (1, "EMBEDDER_UNREACHABLE")
    assert "14 days" in hit(place)["text"]
    assert place.run("refresh", "docs", "--json").json["rebuild"] is False


@pytest.mark.parametrize(
    ("failpoint", "written"),
    [
        pytest.param("refresh.batch:2", 2 * EMBED_BATCH, id="while-embedding"),
        pytest.param("refresh.committed", None, id="once-it-is-written"),
    ],
)
def test_killed_in_the_middle_of_a_rebuild_it_is_completed(
    place: Place, endpoint: Endpoint, failpoint: str, written: int | None
):
    place.configure(served(endpoint, max_tokens=150))
    planned = place.run("plan", "docs", "--json").json["embedded"]
    assert planned > 2 * EMBED_BATCH

    killed = refreshed_and_killed(place, failpoint)
    place.configure(SOURCE)
    meanwhile = place.run("search", "docs", QUESTION, "--json").json
    place.configure(served(endpoint, max_tokens=150))
    done = place.run("refresh", "docs", "--json")

    assert killed.returncode == KILLED, killed.stderr
    assert meanwhile["release"] == place.history()[0]["release"]
    assert meanwhile["hits"][0]["uri"] == NAME
    assert (done.status, len(place.history())) == (0, 2)
    assert done.json["embedded"] == planned - (written or planned)
    assert hit(place)["uri"] == NAME
    assert place.run("refresh", "docs", "--json").json["embedded"] == 0


def refreshed_and_killed(place: Place, failpoint: str) -> subprocess.CompletedProcess[str]:
    arguments = ["--config", str(place.folder / "driftline.toml"), "refresh", "docs"]
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env={**os.environ, "DRIFTLINE_FAILPOINT": failpoint},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
