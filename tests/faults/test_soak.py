"""A soak in small: checks with edits leak no handle, thread or child, and stay in bounds."""

from pathlib import Path

import pytest

from tests.faults.harness import in_a_process
from tests.faults.soak import Soaked, gained, soak

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CHECKS = 20  # `make soak` runs 300


def soak_and_tell(folder: Path) -> None:
    """Fail where anything is over its limit; memory is for a longer soak to tell."""
    done = soak(folder, CHECKS)
    faults = [fault for fault in done.faults if not fault.startswith("memory")]
    (folder / "soaked").write_text(repr(faults))


def test_twenty_checks_leak_nothing_and_stay_in_bounds(tmp_path: Path):
    folder = tmp_path / "place"

    in_a_process(soak_and_tell, folder)

    assert (folder / "soaked").read_text() == "[]"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"memory_growth_percent": 10.0}, []),
        ({"memory_growth_percent": 10.1}, ["memory grew by 10.1 %"]),
        ({"handles_gained": 4, "threads_gained": 4}, []),
        ({"handles_gained": 5}, ["5 handles were leaked"]),
        ({"threads_gained": 5}, ["5 threads were leaked"]),
        ({"children": 1}, ["1 children were left"]),
        ({"broken": ("INV-8 bounded: too much",)}, ["INV-8 bounded: too much"]),
    ],
    ids=[
        "within",
        "at-the-limit",
        "memory",
        "some-held",
        "handles",
        "threads",
        "children",
        "invariant",
    ],
)
def test_a_soak_tells_what_is_over_its_limit(changes: dict[str, object], told: list[str]):
    nothing = dict.fromkeys(Soaked.__dataclass_fields__, 0) | {"broken": ()}

    assert Soaked(**{**nothing, **changes}).faults == told  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([20, 20, 20], 0),
        ([20, 84, 84], 0),
        ([20, 20, 84], 0),
        ([20, 28, 36], 8),
        ([20, 84, 92], 8),
        ([84, 20, 28], -64),
        ([20], 0),
    ],
    ids=[
        "nothing",
        "pool-filled-early",
        "pool-filled-late",
        "one-a-check",
        "one-a-check-and-a-pool",
        "pool-let-go",
        "one-look",
    ],
)
def test_a_pool_that_fills_once_is_no_leak_and_one_thread_a_check_is(counts: list[int], told: int):
    assert gained(counts) == told
