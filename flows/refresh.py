"""Bring the index up to date with the source and publish it, unless a guard says no."""

from __future__ import annotations

from dataclasses import asdict, replace

from flows import stale
from flows.desk import Desk
from flows.examining.mending import mend
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.leftovers import put_in_order
from flows.promoting.champion import first_champion
from flows.promoting.promotions import refuse_frozen
from flows.records import RefreshOutcome
from flows.release import Published, Release
from flows.steps import Perform
from flows.telling import entries as telling
from retrieval.drafting import Draft, plan_refresh
from retrieval.errors import GuardError, SourceUnreachableError
from retrieval.guards import guard
from retrieval.records import Refreshed, RefreshPlan, Snapshot
from retrieval.refresh import apply_refresh
from training.prompt import PROMPT_DIGEST
from training.records import ModelVersion

_DAMAGED = "the index made anew from the documents: the one that answered was damaged"


def plan(desk: Desk, perform: Perform) -> RefreshPlan:
    """Return what a refresh would change; writes nothing."""
    with draft(desk, perform) as drafted:
        return drafted.plan


def draft(desk: Desk, perform: Perform) -> Draft:
    """Return a plan with what applying it needs, to be closed; writes nothing."""
    return perform(
        "Reading the documents",
        lambda on_progress: plan_refresh(
            desk.feeds,
            desk.index,
            desk.embedder,
            cache=desk.scan_cache,
            journal=desk.vector_journal,
            parse_document=desk.parser.parse_body,
            max_tokens=desk.kb.chunk_tokens,
            grace=desk.kb.grace,
            now=desk.now,
            fan_out=desk.fan_out,
            on_progress=on_progress,
        ),
        retries=2,
    )


def refresh(desk: Desk, perform: Perform, *, accept: str | None = None) -> RefreshOutcome:
    """Refresh under the writer's lease; raise BusyError, GuardError or another with a code."""
    with lease.hold(desk.journal, desk.name) as fence:
        outcome = refresh_under(desk, perform, fence, accept=accept)
        # Under the lease: nobody takes the run for one that its process left behind.
        if outcome.is_new:
            perform("Recording in MLflow", lambda _: _record(desk, outcome), retries=2)
            reach("refresh.tracked")
    return outcome


def _record(desk: Desk, outcome: RefreshOutcome) -> None:
    """Write the release's run, and what earlier runs owed that died."""
    desk.tracker.record_refresh(outcome)
    put_in_order(desk)


def refresh_under(
    desk: Desk, perform: Perform, fence: Fence, *, accept: str | None = None
) -> RefreshOutcome:
    """Refresh under a lease that the caller holds; raise FrozenError after a rollback."""
    refuse_frozen(desk.journal, desk.name)
    mend(desk, perform, fence)
    with _guarded_draft(desk, perform, fence, accept) as drafted:
        planned = drafted.plan
        refreshed = perform(
            _title(planned),
            lambda on_progress: apply_refresh(
                drafted,
                desk.index,
                desk.embedder,
                run_id=f"{desk.name}-{desk.now:%Y%m%dT%H%M%S}",
                cache=desk.scan_cache,
                journal=desk.vector_journal,
                fan_out=desk.fan_out,
                on_progress=on_progress,
            ),
            retries=2,
        )
    published, is_new = _publish(desk, perform, fence, planned, refreshed)
    stale.record(desk, fence, planned)
    reach("refresh.staleness")
    return RefreshOutcome(planned, refreshed, published, is_new)


def _title(planned: RefreshPlan) -> str:
    if not planned.embedded:
        return "Writing the index"
    seconds = planned.estimated_seconds
    return f"Embedding {planned.embedded:,} chunks" + (
        f", about {seconds:.0f} s" if seconds else ""
    )


def _guarded_draft(desk: Desk, perform: Perform, fence: Fence, accept: str | None) -> Draft:
    """Plan, and let the guards look at it; what stops a refresh is kept in the journal."""
    try:
        drafted = draft(desk, perform)
        with drafted.spool.closed_by_an_error():
            guard(drafted.plan, desk.kb.refresh_limits(), accept)
    except (GuardError, SourceUnreachableError) as error:
        payload = {"code": error.code, "reason": str(error)}
        desk.journal.append(
            desk.name,
            "guard",
            payload,
            time=desk.now,
            fence=fence,
            errands=telling.of_block(desk, error.code, str(error)),
        )
        reach("refresh.blocked")
        raise
    return drafted


def _publish(
    desk: Desk, perform: Perform, fence: Fence, planned: RefreshPlan, refreshed: Refreshed
) -> tuple[Published, bool]:
    """Publish the snapshot with the serving model, or with the base model if it is the first.

    A snapshot that landed in the index while the run that made it was killed is published here
    by the next run: its plan changes nothing, but its content is not what answers.
    """
    serving = desk.journal.serving(desk.name)
    is_damaged = serving is not None and desk.index.condemned(
        Snapshot.parse(serving.release.snapshot)
    )
    same = serving is not None and serving.release.content_digest == refreshed.content_digest
    if serving is not None and same and not is_damaged:
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
        reason = _DAMAGED if is_damaged else summarise(planned)
    _record_refresh(desk, fence, planned, refreshed)
    reach("release.recorded")
    published = desk.journal.publish(
        release,
        kind=kind,
        reason=reason,
        time=desk.now,
        fence=fence,
        expected_version=serving.release.model_version if serving else None,
        errands=telling.of_release(desk, release, kind, reason),
    )
    reach("release.published")
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
        "flagged": [asdict(flagged) for flagged in planned.flagged],
        "neutralised": planned.neutralised,
        "rebuilt": planned.rebuild,
        "sources": [asdict(part) for part in planned.sources],
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
    anew = "the index made anew: another embedder, or another way of cutting"
    parts = [f"documents: {told}"] * bool(told) + [anew] * planned.rebuild
    return "; ".join(parts) or "nothing changed"
