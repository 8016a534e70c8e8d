"""What is begun by hand through a deployment's form: each does its work, or says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flows.serving.conftest import Served

pytestmark = pytest.mark.slow

ADA = {"by": "Ada", "why": "rehearsed"}


def releases(served: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(served.driftline("history", "docs", "--json").stdout)
    return found


def artifact(served: Served, kind: str) -> str:
    wanted = {"artifacts": {"key": {"like_": f"{kind}-docs"}}}
    (latest,) = served.api("/artifacts/latest/filter", wanted)
    return f"{latest['description']} {latest['data']}"


def ended(served: Served, deployment: str, **parameters: Any) -> tuple[str, str, str]:
    """Return the name of a run, its state, and what the state says."""
    run = served.ended(served.start(deployment, parameters={"kb": "docs", **parameters}))
    return run["name"], run["state_type"], run["state"]["message"] or ""


@pytest.fixture(scope="module")
def moved(served: Served, checked: dict[str, Any]) -> Served:
    """Have the documents moved on since the first check."""
    (served.folder / "docs" / "keepers.md").write_text("# Keepers\n\nEvery keeper has a lid.\n")
    return served


def test_a_refresh_publishes_and_leaves_what_it_did(moved: Served):
    done = ended(moved, "refresh")

    assert done[:2] == ("Refresh docs", "COMPLETED")
    assert "1 added" in artifact(moved, "refresh")
    assert releases(moved)[-1]["kind"] == "refresh"


def test_upkeep_and_verification_find_nothing_wrong(moved: Served):
    tidied = ended(moved, "maintain")
    looked = ended(moved, "verify", depth="full")

    assert tidied[:2] == ("Tidy the index of docs", "COMPLETED")
    assert looked[:2] == ("Look for damage in docs, depth full", "COMPLETED")
    assert "nothing" in artifact(moved, "verify").lower()


def test_a_promotion_that_nothing_waits_for_is_refused_in_words(moved: Served):
    name, state, said = ended(moved, "promote", evidence="0" * 12, by="Ada")

    assert (name, state) == ("Promote the challenger of docs", "FAILED")
    assert "challenger" in said


def test_going_back_publishes_the_earlier_release_and_freezes(moved: Served):
    first = releases(moved)[0]["release"]

    done = ended(moved, "rollback", release=first, **ADA)
    after = ended(moved, "refresh")

    assert done[:2] == (f"Go back to release {first[:12]} in docs", "COMPLETED")
    assert "rehearsed" in artifact(moved, "rollback")
    assert releases(moved)[-1]["release"] == first
    assert after[1] == "FAILED"
    assert "driftline resume docs" in after[2]


def test_forgetting_leaves_a_receipt_and_no_name(moved: Served):
    moved.driftline("resume", "docs", "--why", "rehearsed")
    assert ended(moved, "refresh")[1] == "COMPLETED"

    done = ended(moved, "forget", uris=["keepers.md"], **ADA)

    assert done[:2] == ("Forget 1 document of docs", "COMPLETED")
    assert "nothing" in artifact(moved, "forget").lower()
    runs = moved.runs(flows={"name": {"any_": ["forget"]}})
    assert [run["parameters"]["uris"] for run in runs] == [["[erased]"]]
    assert "keepers.md" not in moved.driftline("search", "docs", "keeper lid").stdout
