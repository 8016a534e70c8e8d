"""Bring the index up to date with the source and publish it, unless a guard says no."""

from __future__ import annotations

from dataclasses import asdict, replace

from flows import lease
from flows.champion import first_champion
from flows.desk import Desk
from flows.journal import Fence
from flows.records import RefreshOutcome
from flows.release import Published, Release
from flows.steps import Perform
from retrieval.errors import GuardError, SourceUnreachableError
from retrieval.planning import guard
from retrieval.records import Refreshed, RefreshPlan
from retrieval.refresh import apply_refresh, plan_refresh
from training.prompt import PROMPT_DIGEST
from training.records import ModelVersion


def plan(desk: Desk, perform: Perform) -> RefreshPlan:
    """Return what a refresh would change; writes nothing."""
    return perform(
        "Reading the documents",
        lambda on_progress: plan_refresh(
            desk.source,
            desk.index,
            desk.embedder,
            max_tokens=desk.kb.chunk_tokens,
            on_progress=on_progress,
        ),
        retries=2,
    )


def refresh(desk: Desk, perform: Perform, *, accept: str | None = None) -> RefreshOutcome:
    """Refresh under the writer's lease; raise BusyError, GuardError or another with a code."""
    with lease.hold(desk.journal, desk.name) as fence:
        outcome = refresh_under(desk, perform, fence, accept=accept)
    if outcome.is_new:
        perform("Recording in MLflow", lambda _: desk.tracker.record_refresh(outcome))
    return outcome


def refresh_under(
    desk: Desk, perform: Perform, fence: Fence, *, accept: str | None = None
) -> RefreshOutcome:
    """Refresh under a lease that the caller holds."""
    planned = _guarded_plan(desk, perform, fence, accept)
    title = f"Embedding {planned.embedded} chunks" if planned.embedded else "Writing the index"
    refreshed = perform(
        title,
        lambda on_progress: apply_refresh(
            planned,
            desk.index,
            desk.embedder,
            run_id=f"{desk.name}-{desk.now:%Y%m%dT%H%M%S}",
            on_progress=on_progress,
        ),
        retries=2,
    )
    published, is_new = _publish(desk, perform, fence, planned, refreshed)
    return RefreshOutcome(planned, refreshed, published, is_new)


def _guarded_plan(desk: Desk, perform: Perform, fence: Fence, accept: str | None) -> RefreshPlan:
    """Plan, and let the guards look at it; what stops a refresh is kept in the journal."""
    try:
        planned = plan(desk, perform)
        guard(planned, desk.kb.refresh_limits(), accept)
    except (GuardError, SourceUnreachableError) as error:
        payload = {"code": error.code, "reason": str(error)}
        desk.journal.append(desk.name, "guard", payload, time=desk.now, fence=fence)
        raise
    return planned


def _publish(
    desk: Desk, perform: Perform, fence: Fence, planned: RefreshPlan, refreshed: Refreshed
) -> tuple[Published, bool]:
    """Publish the snapshot with the serving model, or with the base model if it is the first.

    A snapshot that landed in the index while the run that made it was killed is published here
    by the next run: its plan changes nothing, but its content is not what answers.
    """
    serving = desk.journal.serving(desk.name)
    if serving is not None and serving.release.content_digest == refreshed.content_digest:
        return serving, False
    if serving is None:
        champion = perform(
            "Registering the base model as first champion",
            lambda _: first_champion(desk, str(refreshed.snapshot)),
            retries=2,
        )
        release, kind, reason = _first(desk, refreshed, champion), "first", "first release"
    else:
        release, kind = _next(desk, refreshed, serving.release), "refresh"
        reason = summarise(planned)
    _record_refresh(desk, fence, planned, refreshed)
    published = desk.journal.publish(
        release,
        kind=kind,
        reason=reason,
        time=desk.now,
        fence=fence,
        expected_version=serving.release.model_version if serving else None,
    )
    return published, True


def _first(desk: Desk, refreshed: Refreshed, champion: ModelVersion) -> Release:
    return Release(
        kb=desk.name,
        snapshot=str(refreshed.snapshot),
        content_digest=refreshed.content_digest,
        embedder=desk.embedder.fingerprint,
        model_name=champion.name,
        model_version=champion.version,
        trained_on=champion.snapshot,
        base=desk.settings.model.base,
        base_digest=champion.base_digest,
        adapter_digest=champion.adapter_digest,
        prompt_digest=PROMPT_DIGEST,
    )


def _next(desk: Desk, refreshed: Refreshed, serving: Release) -> Release:
    return replace(
        serving,
        snapshot=str(refreshed.snapshot),
        content_digest=refreshed.content_digest,
        embedder=desk.embedder.fingerprint,
        prompt_digest=PROMPT_DIGEST,
    )


def _record_refresh(desk: Desk, fence: Fence, planned: RefreshPlan, refreshed: Refreshed) -> None:
    payload = {
        "snapshot": str(refreshed.snapshot),
        "documents": refreshed.documents,
        "chunks": refreshed.chunks,
        "embedded": refreshed.embedded,
        "reused": refreshed.reused,
        "added": list(planned.added),
        "edited": list(planned.edited),
        "moved": [asdict(move) for move in planned.moved],
        "removed": list(planned.removed),
        "refused": [asdict(refusal) for refusal in planned.refused],
    }
    desk.journal.append(
        desk.name, "refresh", payload, time=desk.now, key=refreshed.content_digest, fence=fence
    )


def summarise(planned: RefreshPlan) -> str:
    """Say what a plan changes, in documents."""
    counts = {
        "added": len(planned.added),
        "edited": len(planned.edited),
        "moved": len(planned.moved),
        "removed": len(planned.removed),
        "refused": len(planned.refused),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"documents: {told}" if told else "nothing changed"
