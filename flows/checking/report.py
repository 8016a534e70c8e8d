"""Write the page of a check: what was decided and why, and how it went over the last checks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from flows.desk import Desk
from flows.failpoints import reach
from monitors.charts import SHOWN_CHECKS, Levels, TrendPoint
from monitors.records import Action, Decision, DriftReport
from monitors.report import drawn, write_report
from retrieval.records import Snapshot
from training.sums import keep_sum


def report_check(desk: Desk, report: DriftReport, decision: Decision) -> Path:
    """Write the page and return its path; of each side, as many documents are read as it shows."""
    policy = desk.kb.retrain_policy()
    name = f"{report.reference}-{report.current}.html".replace("@", "-")
    page = write_report(
        _sampled(desk, report.reference),
        _sampled(desk, report.current),
        desk.folder / "reports" / name,
        report=report,
        decision=decision,
        levels=Levels(policy.watch_level, policy.retrain_level),
        trend=_trend(desk, report, decision),
        title=f"{desk.name}, {desk.now:%Y-%m-%d %H:%M} UTC",
    )
    keep_sum(page)
    reach("report.written")
    return page


def _sampled(desk: Desk, side: str) -> pa.Table:
    snapshot = Snapshot.parse(side)
    uris = desk.index.outline(snapshot).documents["uri"].to_pylist()
    return desk.index.chunk_table(snapshot, uris=drawn(uris))


def _trend(desk: Desk, report: DriftReport, decision: Decision) -> list[TrendPoint]:
    """Return the checks so far and this one; another reference means another champion."""
    entries = desk.journal.entries(desk.name, "check", newest=SHOWN_CHECKS)
    past = [entry for entry in entries if entry.payload["signals"]]
    references = [*(entry.payload["reference"] for entry in past), report.reference]
    retrained = [False, *(old != new for old, new in pairwise(references))]
    checks = [
        (entry.time, entry.payload["staleness"], Action(entry.payload["action"])) for entry in past
    ]
    checks.append((desk.now, report.staleness, decision.action))
    return [TrendPoint(*check, retrained=new) for check, new in zip(checks, retrained, strict=True)]
