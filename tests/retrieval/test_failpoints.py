"""A failpoint stops a process for good, the third time if so told, and costs nothing otherwise."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from retrieval import failpoints as in_retrieval
from training import failpoints as in_training

ROOT = Path(__file__).parents[2]
THREE_TIMES = """
from {package}.failpoints import reach
for time in range(1, 4):
    print(time, flush=True)
    reach("refresh.batch")
    reach("refresh.listed")
"""
PACKAGES = ("retrieval", "training")


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    ("failpoint", "reached"),
    [
        ("refresh.batch", "1\n"),
        ("refresh.batch:1", "1\n"),
        ("refresh.batch:3", "1\n2\n3\n"),
        ("refresh.batch=kill:2", "1\n2\n"),
    ],
)
def test_a_process_is_killed_at_its_failpoint(package: str, failpoint: str, reached: str):
    ended = run(package, failpoint)

    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, reached)


@pytest.mark.parametrize("failpoint", ["", "refresh.batch:4", "refresh.noted", "unheard-of"])
def test_without_a_failpoint_on_its_way_a_process_ends_as_it_likes(failpoint: str):
    ended = run("retrieval", failpoint)

    assert (ended.returncode, ended.stdout) == (0, "1\n2\n3\n")


@pytest.mark.parametrize(("action", "number"), [("full", errno.ENOSPC), ("readonly", errno.EROFS)])
@pytest.mark.parametrize("module", [in_retrieval, in_training], ids=PACKAGES)
def test_a_disk_refuses_where_it_is_told_to(module: ModuleType, action: str, number: int):
    module.arm(f"refresh.batch={action}:2")
    try:
        module.reach("refresh.batch")
        with pytest.raises(OSError, match=os.strerror(number)) as refused:
            module.reach("refresh.batch")
        module.reach("refresh.batch")  # once is enough
    finally:
        module.arm("")

    assert refused.value.errno == number


@pytest.mark.parametrize("module", [in_retrieval, in_training], ids=PACKAGES)
def test_what_a_failpoint_cannot_do_is_refused(module: ModuleType):
    with pytest.raises(ValueError, match="'explode'"):
        module.arm("refresh.batch=explode")


def run(package: str, failpoint: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", THREE_TIMES.format(package=package)],
        env={**os.environ, "DRIFTLINE_FAILPOINT": failpoint},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
