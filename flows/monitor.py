"""One scheduled run: refresh, measure drift since the champion's snapshot, decide, retrain."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.checking.contest import look_for_takeovers
from flows.checking.measure import Measured, check_drift, remember
from flows.checking.report import report_check
from flows.desk import Desk
from flows.errors import FlowError
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.leftovers import put_in_order
from flows.promoting.champion import reconcile
from flows.promoting.promotions import withdrawn
from flows.records import Check, MonitorOutcome, RefreshOutcome, Request, RetrainOutcome
from flows.refresh import refresh_under
from flows.release import Release
from flows.steps import Perform
from flows.telling import delivery as outbox
from flows.telling import entries as telling
from monitors.decision import reasons
from monitors.decision.policy import History
from monitors.records import Action
from retrieval.errors import RetrievalError
from training.errors import TrainingError


def monitor(desk: Desk, perform: Perform, *, ask: outbox.Ask = lambda _: None) -> MonitorOutcome:
    """Run one check and, if it decides so, the retraining; raise what a guard raises.

    A retraining that an earlier check asked for in vain is made up for.
    """
    with lease.hold(desk.journal, desk.name) as fence:
        check, run_id, request = _check(desk, perform, fence)
    champion = check.refresh.published.release.model_version
    waiting = outbox.waiting_request(desk.journal, desk.name, champion=champion, now=_clock(desk))
    # What is decided now is asked for even if it was settled before: the run it led to may have
    # broken, and whoever is asked knows.
    wanted = request or waiting
    if wanted is None:
        return MonitorOutcome(check, run_id, None, None)
    asked = outbox.ask_for(desk.journal, ask, wanted, _clock(desk))
    if asked.started is not None or asked.waits:
        return MonitorOutcome(check, run_id, None, asked.started)
    return MonitorOutcome(check, run_id, _retrain(desk, perform, wanted), None)


def _retrain(desk: Desk, perform: Perform, request: Request) -> RetrainOutcome:
    """Retrain in this process; the errand is settled after it, so a kill leaves it waiting."""
    # torch and peft: seconds that a check without a retraining never needs
    from flows.retrain import retrain  # noqa: PLC0415

    try:
        outcome = retrain(
            desk,
            perform,
            snapshot=request.snapshot,
            reason=request.reason,
            requested_by=request.requested_by,
        )
    except (FlowError, RetrievalError, TrainingError) as error:
        why = f"{error.code}: {error}"
        outbox.put_off(desk.journal, telling.retraining(request), why, _clock(desk))
        raise
    desk.journal.settle(telling.retraining(request), _clock(desk))
    return outcome


def _clock(desk: Desk) -> datetime:
    """Return the time for what is not about this run: a late run was due long ago."""
    return max(desk.now, datetime.now(UTC))


def past(desk: Desk, release: Release) -> History:
    """Return what the policy must know of the past: the last training, and what was tried."""
    verdicts = desk.journal.entries(desk.name, "verdict")
    last = desk.journal.last(desk.name, "check")
    known = last is not None and last.payload["reference"] == release.trained_on
    tried = [
        told
        for v in (entry.payload for entry in verdicts)
        if v["snapshot"] == release.snapshot
        and v["champion_version"] == release.model_version
        and (told := _why_not(desk, v))
    ]
    return History(
        retrained_at=tuple(entry.time for entry in verdicts),
        tried=tried[-1] if tried else None,
        last_action=Action(last.payload["action"]) if last and known else None,
        checks_since=(
            desk.journal.count(desk.name, "check", after=verdicts[-1].sequence)
            if verdicts
            else None
        ),
    )


def _why_not(desk: Desk, verdict: dict[str, Any]) -> str:
    """Return why a version that was judged does not answer, "" if it may be promoted."""
    version = verdict["version"]
    if not verdict["promote"]:
        return f"version {version} was not promoted ({verdict['reason']})"
    if taken_back := withdrawn(desk.journal, desk.name, version):
        return f"version {version} was withdrawn by {taken_back.actor} ({taken_back.why})"
    return ""


def _check(desk: Desk, perform: Perform, fence: Fence) -> tuple[Check, str, Request | None]:
    """Refresh, measure, decide, and record it; what a guard stopped is recorded as well."""
    perform("Looking at the champion", lambda _: _settle(desk, fence), retries=2)
    try:
        refreshed = refresh_under(desk, perform, fence)
    except (RetrievalError, FlowError) as error:
        code, reason = error.code, str(error)
        perform(
            "Recording in MLflow", lambda _: desk.tracker.record_blocked(code, reason, desk.now)
        )
        reach("monitor.blocked")
        raise
    reach("monitor.refreshed")
    release = refreshed.published.release
    measured = check_drift(desk, perform, release, past(desk, release))
    reach("monitor.measured")
    takeovers = look_for_takeovers(desk, perform, release)
    told = reasons.noting_takeovers(measured.decision, takeovers)
    measured = replace(measured, decision=told)
    report, decision = measured.report, measured.decision
    page = _page(desk, perform, refreshed, measured)
    number = desk.journal.count(desk.name, "check") + 1
    check = Check(number, refreshed, report, decision, page, takeovers)
    run_id = perform(
        "Recording in MLflow", lambda _: desk.tracker.record_check(check, desk.now), retries=2
    )
    reach("monitor.tracked")
    # What a look spent is written before the check: killed between, the next takes the same look.
    remember(desk, measured, fence)
    reach("monitor.remembered")
    request = _request(desk, check, run_id)
    desk.journal.append(
        desk.name,
        "check",
        _entry(check, run_id),
        time=desk.now,
        fence=fence,
        errands=telling.of_check(desk, check, run_id, request),
    )
    reach("monitor.checked")
    desk.journal.set_room_aside()
    return check, run_id, request


def _settle(desk: Desk, fence: Fence) -> None:
    """Bring alias and runs in MLflow in line with the journal, whatever died since."""
    reconcile(desk, fence)
    reach("monitor.reconciled")
    put_in_order(desk)


def _page(
    desk: Desk, perform: Perform, refreshed: RefreshOutcome, measured: Measured
) -> Path | None:
    """Write the report page; None if the last check already reported this very comparison."""
    last = desk.journal.last(desk.name, "check")
    release, report = refreshed.published.release, measured.report
    if not report.signals:
        return None
    if last is not None and last.payload["comparison"] == [release.id, report.reference]:
        return None
    return perform("Writing the report", lambda _: report_check(desk, report, measured.decision))


def _entry(check: Check, run_id: str) -> dict[str, Any]:
    report, decision = check.report, check.decision
    return {
        "number": check.number,
        "comparison": [check.refresh.published.release.id, report.reference],
        "reference": report.reference,
        "current": report.current,
        "staleness": report.staleness,
        "staleness_low": report.staleness_low,
        "staleness_high": report.staleness_high,
        "edits_found": report.edits_found,
        "signals": [asdict(signal) for signal in report.signals],
        "action": decision.action.value,
        "reason": decision.reason,
        "needs_approval": decision.needs_approval,
        "cost": None if decision.cost is None else asdict(decision.cost),
        "takeovers": [asdict(takeover) for takeover in check.takeovers],
        "run_id": run_id,
    }


def _request(desk: Desk, check: Check, run_id: str) -> Request | None:
    """Return the retraining that a check asks for, None if none is, or a person has to."""
    if check.decision.action is not Action.RETRAIN or check.decision.needs_approval:
        return None
    release = check.refresh.published.release
    return Request(
        kb=desk.name,
        snapshot=release.snapshot,
        reason=check.decision.reason,
        requested_by=run_id,
        key=telling.request_key(desk, release),
        champion=release.model_version,
    )
