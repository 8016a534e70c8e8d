"""Work that takes long has a bar on the page of its run; short work has none."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from flows.serving import task_steps
from flows.serving.task_steps import as_task
from flows.steps import OnProgress
from tests.flows.serving.conftest import Served

pytestmark = pytest.mark.slow

QUARTERS = 4


def bars(served: Served, title: str) -> list[Any]:
    """Return how far the bars of a title are, in percent."""
    wanted = {"artifacts": {"type": {"any_": ["progress"]}}}
    found = served.api("/artifacts/filter", wanted)
    return [each["data"] for each in found if each["description"] == title]


@pytest.mark.parametrize(
    ("seconds", "during", "after"),
    [
        pytest.param(0.0, [[25.0], [50.0], [75.0], [100.0]], [100.0], id="long"),
        pytest.param(3_600.0, [[], [], [], []], [], id="short"),
    ],
)
def test_long_work_draws_a_bar_that_ends_full(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    during: list[list[float]],
    after: list[float],
):
    title, seen = f"Embedding for {seconds:.0f} s", []
    monkeypatch.setattr(task_steps, "_LONG_SECONDS", seconds)
    monkeypatch.setattr(task_steps, "_BETWEEN_SECONDS", 0.0)

    def work(tell: OnProgress) -> None:
        for done in range(1, QUARTERS + 1):
            tell(done, QUARTERS)
            seen.append(bars(served, title))

    @flow(name="long-work")
    def run() -> None:
        as_task(title, work)

    # Logs are sent behind the run's back, and would be awaited after the server is gone.
    quiet = {PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings({PREFECT_API_URL: f"{served.prefect}/api", **quiet}):
        run()

    assert seen == during
    assert bars(served, title) == after
