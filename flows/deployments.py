"""The flows that Prefect schedules and people start: the same runs, each step a Prefect task.

Every entrypoint of prefect.yaml is here, but for what trains (flows/training_deployments.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.erasing.receipt import receipt_text
from flows.errors import BusyError, NoReleaseError
from flows.examining.verification import Depth
from flows.forget import forget as erase
from flows.promoting.evidence import evidence_of
from flows.promoting.promotions import person
from flows.refresh import refresh as refresh_index
from flows.rollback import rollback as go_back
from flows.serving import approval, late_runs, timeline
from flows.serving.abandoned import crash_abandoned
from flows.serving.flow_making import as_flow
from flows.serving.forgotten_requests import forget_requests
from flows.serving.parameters import (
    Accept,
    AnyKb,
    By,
    DepthName,
    EvidenceDigest,
    KbName,
    ModelOnly,
    ReleaseId,
    Uris,
    Version,
    Why,
)
from flows.serving.scheduled_work import (
    check,
    for_each,
    look_for_damage,
    newer_check,
    scheduled_time,
    tidy,
)
from flows.serving.task_steps import as_task
from flows.settings.settings import load_settings
from flows.telling.prefect_couriers import desk_on_duty


@as_flow
def monitor(kb: AnyKb = "") -> State[Any] | None:
    """Refresh, measure drift, decide, and ask for a retraining where it is justified."""
    due = scheduled_time()
    instead = newer_check(kb, due)
    if instead is not None:
        return late_runs.superseded(
            due, f"a newer one, due {instead:%Y-%m-%d %H:%M} UTC, is waiting"
        )
    return for_each(kb, check)


@as_flow
def refresh(kb: KbName, accept: Accept = "") -> str:
    """Bring the index up to date with the documents and publish a release; return its id."""
    with desk_on_duty(load_settings(), kb, now=scheduled_time()) as desk:
        outcome = refresh_index(desk, as_task, accept=accept or None)
    timeline.leave_refresh(kb, outcome)
    return outcome.published.release.id


@as_flow
def maintain(kb: AnyKb = "") -> None:
    """Compact the index and drop the versions that no kept release needs."""
    with get_client(sync_client=True) as client:
        for change in crash_abandoned(client, datetime.now(UTC)):
            get_run_logger().warning("%s is marked as crashed: %s", change.name, change.note)
    # A knowledge base that is busy, or has no release yet, waits for the next night.
    for_each(kb, tidy, waiting=(BusyError, NoReleaseError))


@as_flow
def verify(kb: AnyKb = "", depth: DepthName = "subset") -> State[Any] | None:
    """Look for damage; the run fails with what is damaged and what to do."""
    return for_each(kb, lambda desk: look_for_damage(desk, Depth(depth)))


@as_flow
def promote(kb: KbName, evidence: EvidenceDigest, by: By, version: Version = 0) -> str:
    """Promote a challenger on evidence that a person has seen; return the new release's id."""
    with desk_on_duty(load_settings(), kb, now=scheduled_time()) as desk:
        published = approval.promote(
            desk, evidence_of(desk, version or None), evidence=evidence, by=by
        )
    return published.release.id


@as_flow
def rollback(
    kb: KbName,
    release: ReleaseId,
    by: By,
    why: Why = "asked for by hand",
    model_only: ModelOnly = False,  # noqa: FBT002 - Prefect passes parameters by name
) -> str:
    """Publish an earlier release again and freeze the knowledge base; return the release's id."""
    with desk_on_duty(load_settings(), kb, now=scheduled_time()) as desk:
        published = go_back(
            desk, as_task, release, actor=person(by), why=why, model_only=model_only
        )
    timeline.leave_publication("rollback", kb, published)
    return published.release.id


@as_flow
def forget(kb: KbName, uris: Uris, by: By, why: Why = "asked for by hand") -> str:
    """Erase documents for good and prove it; return the id of the receipt."""
    with desk_on_duty(load_settings(), kb, now=scheduled_time()) as desk:
        receipt = erase(desk, as_task, uris, actor=person(by), why=why)
    # Prefect keeps what a run was asked; after the receipt, since a restart needs it until then.
    with get_client(sync_client=True) as client:
        forget_requests(client, kb, uris, run=flow_run.id)
    timeline.leave("forget", kb, receipt_text(receipt), f"receipt {receipt.id}")
    return receipt.id
