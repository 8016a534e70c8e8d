"""Make a version the champion: on evidence, against the expected champion, with a line of history.

The journal first, which is the truth, then the alias: a run killed between the two leaves an alias
that lags, and the next run moves it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from flows.desk import Desk
from flows.erasing.erasures import refuse_tainted
from flows.errors import EvidenceMismatchError, PromoteConflictError, WithdrawnError
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.promoting.champion import answering_with, move_alias, settle
from flows.promoting.evidence import Evidence, evidence_of
from flows.promoting.promotions import FLOW, Attempt, Outcome, refusal_kept, refuse_frozen
from flows.release import Published
from flows.steps import Perform
from flows.telling import entries as telling

# A refresh that is under way when a challenger is ready is waited for.
PATIENCE_SECONDS = 900.0


def promote(
    desk: Desk,
    perform: Perform,
    *,
    version: int,
    expected: int,
    actor: str,
    why: str,
    evidence: str,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Published:
    """Publish what answers now with another model, if the champion is still `expected`.

    `evidence` is the digest of what was approved, or DIGITS of it. What is refused is written to
    the history and raised: PromoteConflictError, EvidenceMismatchError, WithdrawnError and
    FrozenError (where nobody was asked), LostLeaseError, BusyError, or what is wrong with the
    version's files.
    """
    attempt = Attempt(desk.now, actor, Outcome.PROMOTED, expected, version, why, evidence=evidence)
    with ExitStack() as held:
        with refusal_kept(desk.journal, desk.name, attempt):
            lock = lease.hold(desk.journal, desk.name, patience_seconds=patience_seconds)
            fence = held.enter_context(lock)
            _refuse_another_champion(desk, version, expected)
            pointed = perform("Looking at the champion", lambda _: settle(desk, fence), retries=2)
            reach("promote.settled")
            published = _publish(desk, fence, attempt, version, expected)
            reach("promote.published")
        perform(
            "Moving the alias", lambda _: move_alias(desk, version, expected=pointed), retries=2
        )
        reach("promote.moved")
        perform(
            "Recording in MLflow", lambda _: desk.tracker.record_promotion(published), retries=2
        )
        reach("promote.tracked")
    return published


def reason_of(evidence: Evidence) -> str:
    """Return why a person promoted a version, from the evidence that was shown."""
    against = "" if evidence.promote else "although the verdict was no: "
    return f"{against}{evidence.reason}"


def _publish(desk: Desk, fence: Fence, attempt: Attempt, version: int, expected: int) -> Published:
    serving, shown = desk.release().release, evidence_of(desk, version)
    shown.refuse_other(attempt.evidence)
    if attempt.actor == FLOW:
        _refuse_unasked(desk, shown)
    model = desk.registry.version(desk.model_name, version)
    refuse_tainted(desk.journal, desk.name, version)
    if model.adapter_digest != shown.adapter_digest:
        msg = (
            f"Version {version} of {desk.model_name!r} is adapter {model.adapter_digest[:12]!r} by "
            f"its tag in MLflow, but {shown.adapter_digest[:12]!r} was weighed. Train again with "
            f"`driftline retrain {desk.name} --force`."
        )
        raise EvidenceMismatchError(msg)
    release = answering_with(serving, model)
    done = replace(attempt, release=release.id, evidence=shown.digest)
    return desk.journal.publish(
        release,
        kind="promotion",
        reason=attempt.why,
        time=desk.now,
        fence=fence,
        expected_version=expected,
        beside=[done.line],
        errands=telling.of_promotion(desk, release, done),
    )


def _refuse_another_champion(desk: Desk, version: int, expected: int) -> None:
    """Tell a loser at once, by the journal alone; `Journal.publish` checks in its transaction."""
    kb, found = desk.name, desk.release().release.model_version
    if found == version:
        msg = f"Version {version} is the champion of {kb!r} already. Nothing is to be done."
        raise PromoteConflictError(msg)
    if found != expected:
        msg = (
            f"Version {version} was to take the place of version {expected}, but the champion of "
            f"{kb!r} is version {found} by now. Weigh it against that: `driftline retrain {kb}`."
        )
        raise PromoteConflictError(msg)


def _refuse_unasked(desk: Desk, shown: Evidence) -> None:
    """Refuse what only a person may do: promote over a freeze, or what a rollback took back."""
    refuse_frozen(desk.journal, desk.name)
    if shown.withdrawn:
        msg = (
            f"Version {shown.version} of {desk.name!r} was withdrawn {shown.withdrawn}. Only a "
            f"person promotes it again: `driftline promote {desk.name} --version {shown.version}`."
        )
        raise WithdrawnError(msg)
