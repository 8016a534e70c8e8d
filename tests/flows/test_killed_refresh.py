"""A whole refresh, killed between index and release: the next one ends where it would have."""

import os
import signal
import subprocess
import sys

import pytest

from tests.faults.tally import IN_A_COMMAND, TALLY
from tests.flows.conftest import Place


@pytest.mark.parametrize(
    ("failpoint", "publications"),
    [("refresh.cleared", 1), ("release.recorded", 1), ("release.published", 2)],
)
def test_a_refresh_killed_before_or_after_publishing_is_finished_by_the_next(
    place: Place, failpoint: str, publications: int
):
    place.edit("billing/failed-payments.md", "14 days", "21 days")

    killed = subprocess.run(
        [
            *(sys.executable, "-m", "flows.cli"),
            *("--config", str(place.folder / "driftline.toml"), "refresh", "docs"),
        ],
        env=os.environ | {"DRIFTLINE_FAILPOINT": failpoint},
        capture_output=True,
        check=False,
    )
    TALLY[IN_A_COMMAND] += killed.returncode == -signal.SIGKILL
    left = place.history()
    done = place.run("refresh", "docs", "--json")

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(left) == publications
    assert (done.status, done.json["embedded"]) == (0, 0)
    assert [entry["snapshot"] for entry in place.history()] == ["docs@2", "docs@3"]
    assert place.run("plan", "docs", "--json").json["edited"] == 0
