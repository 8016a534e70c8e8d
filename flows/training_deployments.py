"""The flow that trains, apart from the others: it loads torch, which an hourly check need not."""

from __future__ import annotations

from flows.desk import Desk
from flows.promoting.evidence import evidence_of
from flows.retrain import retrain as train_challenger
from flows.serving import approval, timeline
from flows.serving.flow_making import as_flow
from flows.serving.parameters import Force, KbName, RequestedBy, SnapshotName, Why
from flows.serving.scheduled_work import scheduled_time
from flows.serving.task_steps import as_task
from flows.settings.settings import load_settings
from flows.telling.prefect_couriers import desk_on_duty
from flows.tracking import cards


@as_flow
def retrain(
    kb: KbName,
    snapshot: SnapshotName = "",
    reason: Why = "asked for by hand",
    requested_by: RequestedBy = "",
    force: Force = False,  # noqa: FBT002 - Prefect passes parameters by name
) -> str:
    """Train a challenger, weigh it, promote it if it is better; return the verdict in words.

    In the mode `approve` the run is suspended until a person resumes it with the evidence.
    """
    with desk_on_duty(load_settings(), kb, now=scheduled_time()) as desk:
        waiting = approval.asked(desk)
        if waiting is None:
            outcome = train_challenger(
                desk,
                as_task,
                snapshot=snapshot or None,
                reason=reason,
                requested_by=requested_by,
                force=force,
            )
            said = "promoted" if outcome.verdict.promote else "not promoted"
            text = f"Version {outcome.version} {said}: {outcome.verdict.reason}"
            waiting = outcome.version if outcome.waiting else None
        if waiting is not None:
            text = _promote_approved(desk, waiting)
    timeline.leave("retrain", kb, cards.escape(text), "training and verdict")
    return text


def _promote_approved(desk: Desk, version: int) -> str:
    """Promote on the evidence that a person names; until one does, the run ends here, suspended."""
    shown = evidence_of(desk, version)
    if shown.champion == version:
        return f"Version {version} is the champion already, by another approval."
    given = approval.ask(desk, shown)
    approval.promote(desk, shown, evidence=given.evidence, by=given.by)
    return f"Version {version} promoted by {given.by}: {shown.reason}"
