"""Every failpoint is listed, every listed one can be reached, and reaching one kills for good."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.failpoints import FAILPOINTS

ROOT = Path(__file__).parents[2]
THREE_TIMES = """
from retrieval.failpoints import reach
for time in range(1, 4):
    print(time, flush=True)
    reach("refresh.batch")
    reach("refresh.listed")
"""


def test_the_list_is_what_the_code_reaches():
    reached = [
        name
        for package in ("retrieval", "flows")
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r'\breach\("([^"]+)"\)', path.read_text())
    ]

    assert sorted(reached) == sorted(FAILPOINTS), "each is reached in one place, and listed"


@pytest.mark.parametrize(
    ("failpoint", "reached"),
    [
        ("refresh.batch", "1\n"),
        ("refresh.batch:1", "1\n"),
        ("refresh.batch:3", "1\n2\n3\n"),
        ("refresh.listed:2", "1\n2\n"),
    ],
)
def test_a_process_is_killed_at_its_failpoint(failpoint: str, reached: str):
    ended = run(failpoint)

    assert (ended.returncode, ended.stdout) == (-9, reached)


@pytest.mark.parametrize("failpoint", ["", "refresh.batch:4", "refresh.noted", "unheard-of"])
def test_without_a_failpoint_on_its_way_a_process_ends_as_it_likes(failpoint: str):
    ended = run(failpoint)

    assert (ended.returncode, ended.stdout) == (0, "1\n2\n3\n")


def run(failpoint: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", THREE_TIMES],
        env={**os.environ, "DRIFTLINE_FAILPOINT": failpoint},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
