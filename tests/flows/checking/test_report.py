"""A check leaves a page, with the checks before it; one that measured nothing leaves none."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from flows.checking import report as flows_report
from flows.checking.report import report_check
from flows.desk import Desk
from flows.monitor import monitor
from flows.refresh import refresh
from flows.steps import quietly
from monitors.charts import TrendPoint
from monitors.records import Action, Decision, DriftReport
from retrieval.records import Snapshot
from tests.flows.conftest import Place

DAYS = "14 days"


@pytest.fixture
def trends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[TrendPoint]]:
    """The trend of every page that is written; the pages themselves are empty."""
    page = tmp_path / "page.html"
    page.touch()
    seen: list[list[TrendPoint]] = []

    def keep(*tables: Any, trend: list[TrendPoint], **_: Any) -> Path:
        seen.append(trend)
        return page

    monkeypatch.setattr(flows_report, "write_report", keep)
    return seen


def check(desk: Desk, *, day: int) -> Any:
    return monitor(desk.at(desk.now + timedelta(days=day)), quietly, ask=lambda _: "run").check


@pytest.mark.usefixtures("warm")
def test_a_check_writes_a_page_with_the_decision_and_the_fact_that_changed(
    place: Place, desk: Desk
):
    place.edit("billing/failed-payments.md", DAYS, "21 days")

    page = check(desk, day=0).page

    said = html.fromstring(page.read_text(encoding="utf-8")).text_content()
    assert page.name == "docs-2-docs-3.html"
    assert "Nothing to do" in said
    assert "docs@3" in said
    assert re.search(r"number\s*billing/failed-payments.md", said)


@pytest.mark.usefixtures("warm")
def test_the_trend_has_a_point_for_each_check_in_order(
    place: Place, desk: Desk, trends: list[list[TrendPoint]]
):
    for day in range(3):
        place.edit("billing/failed-payments.md", f"{14 + day} days", f"{15 + day} days")
        check(desk, day=day)

    assert [len(trend) for trend in trends] == [1, 2, 3]
    gaps = [point.time - trends[-1][0].time for point in trends[-1]]
    assert [round(gap / timedelta(days=1)) for gap in gaps] == [0, 1, 2]
    assert not any(point.retrained for point in trends[-1])


@pytest.mark.usefixtures("warm")
def test_another_reference_is_marked_as_a_retraining(
    place: Place, desk: Desk, trends: list[list[TrendPoint]]
):
    place.edit("billing/failed-payments.md", DAYS, "21 days")
    check(desk, day=0)
    check(desk, day=1)
    report = DriftReport("docs@3", "docs@3", 0.0, (), (), 1, 1)

    report_check(desk.at(desk.now + timedelta(days=2)), report, Decision(Action.NONE, "calm"))

    assert [point.retrained for point in trends[-1]] == [False, False, True]


@pytest.mark.usefixtures("warm")
def test_a_comparison_that_was_not_measured_has_no_page_and_no_point(
    place: Place, desk: Desk, trends: list[list[TrendPoint]]
):
    (place.docs / "tides.md").write_text("# Tides\n\nThe sea rises twice a day.\n", "utf-8")
    current = refresh(desk, quietly).published.release.snapshot
    later = desk.at(desk.now + timedelta(days=30))
    later.index.tidy([Snapshot.parse(current)], now=later.now)

    blocked = monitor(later, quietly).check
    report = replace(blocked.report, reference=current, current=current)
    report_check(later, report, Decision(Action.NONE, "calm"))

    assert blocked.page is None
    assert [len(trend) for trend in trends] == [1]
