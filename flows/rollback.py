"""Go back to an earlier release, keep the schedule from undoing it, and let it go on again."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from flows.desk import Desk
from flows.erasing.erasures import refuse_tainted
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.promote import PATIENCE_SECONDS
from flows.promoting.champion import answering_with, move_alias, settle
from flows.promoting.promotions import Attempt, Freeze, Outcome, frozen, refusal_kept
from flows.release import Published, Release
from flows.steps import Perform
from flows.telling import entries as telling
from retrieval.errors import EmbedderChangedError, SnapshotMissingError
from retrieval.records import Snapshot
from training.prompt import PROMPT_DIGEST


def rollback(
    desk: Desk,
    perform: Perform,
    release_id: str,
    *,
    actor: str,
    why: str,
    model_only: bool = False,
) -> Published:
    """Publish an earlier release again, or only its model with the snapshot that answers now.

    The model that is left is withdrawn: only a person promotes it again. Unless `model_only`, the
    knowledge base is frozen too, or the next refresh would undo it. Raises NoReleaseError,
    SnapshotMissingError, EmbedderChangedError, or what is wrong with the model's files.
    """
    before = desk.release().release.model_version
    target = desk.release(release_id).release
    attempt = Attempt(desk.now, actor, Outcome.WITHDRAWN, before, target.model_version, why)
    with ExitStack() as held:
        with refusal_kept(desk.journal, desk.name, attempt):
            lock = lease.hold(desk.journal, desk.name, patience_seconds=PATIENCE_SECONDS)
            fence = held.enter_context(lock)
            pointed = perform("Looking at the champion", lambda _: settle(desk, fence), retries=2)
            reach("rollback.settled")
            if not model_only:
                perform("Looking at the snapshot", lambda _: _refuse_unreadable(desk, target))
            reach("rollback.looked")
            published = _publish(desk, fence, target, attempt, model_only=model_only)
            reach("rollback.published")
        answering = published.release.model_version
        perform(
            "Moving the alias", lambda _: move_alias(desk, answering, expected=pointed), retries=2
        )
        reach("rollback.moved")
        perform(
            "Recording in MLflow", lambda _: desk.tracker.record_promotion(published), retries=2
        )
        reach("rollback.tracked")
    return published


def resume(desk: Desk, *, actor: str, why: str) -> Freeze | None:
    """Let refreshes publish again; return the freeze that was lifted, None if there was none."""
    lifted = frozen(desk.journal, desk.name)
    if lifted is not None:
        line = Freeze(desk.now, False, actor, why).line
        desk.journal.append(desk.name, line.kind, line.payload, time=desk.now)
        reach("resume.lifted")
    return lifted


def _publish(
    desk: Desk, fence: Fence, target: Release, attempt: Attempt, *, model_only: bool
) -> Published:
    """Write release, withdrawal and freeze in one transaction: killed, it is all or nothing."""
    serving = desk.release().release
    refuse_tainted(desk.journal, desk.name, target.model_version)
    model = desk.registry.version(desk.model_name, target.model_version)
    release = answering_with(serving if model_only else target, model)
    # The prompt is the code's: what answers from here on is not built with an older one.
    release = replace(release, prompt_digest=PROMPT_DIGEST)
    done = replace(attempt, before=serving.model_version, release=release.id)
    left = [done.line] if done.before != done.after else []
    freeze = [] if model_only else [Freeze(desk.now, True, attempt.actor, attempt.why).line]
    return desk.journal.publish(
        release,
        kind="rollback",
        reason=attempt.why,
        time=desk.now,
        fence=fence,
        expected_version=serving.model_version,
        beside=[*left, *freeze],
        errands=telling.of_rollback(desk, release, done, frozen=not model_only),
    )


def _refuse_unreadable(desk: Desk, target: Release) -> None:
    if not desk.index.holds(Snapshot.parse(target.snapshot)):
        msg = (
            f"Snapshot {target.snapshot} of release {target.id} is not in the index any more. "
            f"`driftline rollback {desk.name} {target.id} --model-only` brings back its model, "
            "with the snapshot that answers now."
        )
        raise SnapshotMissingError(msg)
    if desk.embedder.fingerprint != target.embedder:
        msg = (
            f"Release {target.id} was embedded by another model than the settings name, "
            f"{desk.settings.embedder.model!r}. Name that model under [embedder], or bring back "
            "the release's model alone with --model-only."
        )
        raise EmbedderChangedError(msg)
