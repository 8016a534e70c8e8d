"""What each entry of the journal tells: events for automations, notices for people.

Errands are written with the entry that they are about, in one transaction, and delivered later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flows.desk import Desk
from flows.errors import BusyError, FrozenError, LostLeaseError, NoReleaseError
from flows.journal.outbox import Errand
from flows.promoting.promotions import Attempt
from flows.records import Check, Request
from flows.release import Release
from flows.settings.settings import Settings
from flows.settings.training import PromotionMode
from flows.telling import notices
from flows.telling.events import (
    AnswersTaken,
    DriftExceeded,
    Event,
    GuardBlocked,
    ModelPromoted,
    Payload,
    ReleasePublished,
    stable_id,
)
from flows.telling.notices import Notice, NoticeKind
from monitors.decision import reasons
from monitors.records import Action
from retrieval.errors import GuardError, SourceUnreachableError

RETRAIN, EVENT, NOTIFICATION = "retrain", "event", "notification"
"""The kinds of errands."""

# Told where they happen, or no fault at all: somebody else does the work.
_TOLD_ELSEWHERE = (
    GuardError,
    SourceUnreachableError,
    BusyError,
    LostLeaseError,
    NoReleaseError,
)


def retraining(request: Request) -> Errand:
    """Return the errand that asks for a retraining; of two with one key there is one."""
    return Errand(RETRAIN, request.key, asdict(request))


def request_key(desk: Desk, release: Release) -> str:
    """Return the key of a retraining: the same text, champion and configuration give the same.

    When to retrain is not part of it: another policy makes no other training.
    """
    asked = {
        "kb": desk.name,
        "content": release.content_digest,
        "reference": release.trained_on,
        "champion": [release.model_name, release.model_version, release.adapter_digest],
        "base": release.base_digest,
        "prompt": release.prompt_digest,
        "training": desk.kb.training.model_dump(mode="json"),
        "promotion": desk.kb.promotion.model_dump(mode="json"),
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"{desk.name}-{digest[:16]}"


def of_check(desk: Desk, check: Check, run_id: str, request: Request | None) -> tuple[Errand, ...]:
    """Return what a check tells and asks for; the same finding again tells nothing new."""
    return (*_of_drift(desk, check, run_id, request), *_of_takeovers(desk, check, run_id))


def _of_takeovers(desk: Desk, check: Check, run_id: str) -> tuple[Errand, ...]:
    if not check.takeovers:
        return ()
    release, said = check.refresh.published.release, reasons.takeovers(check.takeovers)
    uris = tuple(takeover.uri for takeover in check.takeovers)
    about = f"{release.id}|{'|'.join(uris)}"
    payload = AnswersTaken(desk.name, check.number, release.id, uris, said)
    sentence = notices.takeover_sentence(desk.name, said)
    link = f"{mlflow_address(desk.settings)}/{desk.tracker.page_of(run_id)}"
    told = _notices(desk, NoticeKind.TAKEOVER, sentence, about, link)
    return (_event(desk, payload, about), *told)


def _of_drift(desk: Desk, check: Check, run_id: str, request: Request | None) -> tuple[Errand, ...]:
    report, decision = check.report, check.decision
    if decision.action not in {Action.WATCH, Action.RETRAIN}:
        return ()
    release = check.refresh.published.release
    about = f"{release.id}|{report.reference}|{decision.action}|{decision.needs_approval}"
    payload = DriftExceeded(
        kb=desk.name,
        check=check.number,
        action=decision.action.value,
        reason=decision.reason,
        needs_approval=decision.needs_approval,
        staleness=report.staleness,
        staleness_low=report.staleness_low,
        staleness_high=report.staleness_high,
        reference=report.reference,
        current=report.current,
        release=release.id,
        mlflow_run=run_id,
    )
    kind = NoticeKind.WATCH if decision.action is Action.WATCH else NoticeKind.RETRAIN
    sentence = notices.check_sentence(desk.name, kind.value, decision.reason)
    link = f"{mlflow_address(desk.settings)}/{desk.tracker.page_of(run_id)}"
    asked = [retraining(request)] if request else []
    return (*asked, _event(desk, payload, about), *_notices(desk, kind, sentence, about, link))


def of_release(desk: Desk, release: Release, publication: str, reason: str) -> tuple[Errand, ...]:
    """Return what a publication tells automations; people are told of what led to it."""
    payload = ReleasePublished(
        kb=desk.name,
        release=release.id,
        snapshot=release.snapshot,
        model_version=release.model_version,
        publication=publication,
        reason=reason,
    )
    return (_event(desk, payload, f"{release.id}|{desk.now.isoformat()}"),)


def of_promotion(desk: Desk, release: Release, done: Attempt) -> tuple[Errand, ...]:
    """Return what a promotion tells, whoever made it."""
    payload = ModelPromoted(
        kb=desk.name,
        release=release.id,
        from_version=done.before,
        to_version=done.after,
        actor=done.actor,
        reason=done.why,
        evidence=done.evidence,
    )
    about = f"{release.id}|{desk.now.isoformat()}"
    sentence = notices.promoted_sentence(
        desk.name, done.before, done.after, actor=done.actor, reason=done.why
    )
    told = _notices(desk, NoticeKind.PROMOTED, sentence, about, _version_page(desk, done.after))
    return (*of_release(desk, release, "promotion", done.why), _event(desk, payload, about), *told)


def of_rollback(desk: Desk, release: Release, done: Attempt, *, frozen: bool) -> tuple[Errand, ...]:
    """Return what a rollback tells."""
    sentence = notices.rollback_sentence(
        desk.name,
        release.id,
        release.model_version,
        actor=done.actor,
        reason=done.why,
        frozen=frozen,
    )
    about, page = f"{release.id}|{desk.now.isoformat()}", _version_page(desk, release.model_version)
    told = _notices(desk, NoticeKind.ROLLBACK, sentence, about, page)
    return (*of_release(desk, release, "rollback", done.why), *told)


def of_repair(desk: Desk, release: Release, reason: str) -> tuple[Errand, ...]:
    """Return what is told where damage had what is whole answer, by hand or by itself."""
    sentence = notices.rollback_sentence(
        desk.name,
        release.id,
        release.model_version,
        actor="a repair",
        reason=reason,
        frozen=False,
    )
    about = f"{release.id}|{desk.now.isoformat()}"
    told = _notices(desk, NoticeKind.ROLLBACK, sentence, about)
    return (*of_release(desk, release, "repair", reason), *told)


def of_block(desk: Desk, code: str, reason: str) -> tuple[Errand, ...]:
    """Return what a guard that stopped a refresh tells: people once a day for one cause."""
    event = _event(desk, GuardBlocked(desk.name, code, reason), desk.now.isoformat())
    sentence = notices.blocked_sentence(desk.name, code, reason)
    return (event, *_notices(desk, NoticeKind.BLOCKED, sentence, _daily(desk, code, reason)))


def of_verdict(desk: Desk, verdict: dict[str, Any]) -> tuple[Errand, ...]:
    """Return what a verdict tells; one that is followed at once is told as a promotion."""
    promote, version = verdict["promote"], verdict["version"]
    if promote and desk.kb.promotion.mode is not PromotionMode.APPROVE:
        return ()
    kind = NoticeKind.APPROVAL if promote else NoticeKind.REJECTED
    sentence = notices.verdict_sentence(
        desk.name, version, promote=promote, reason=verdict["reason"]
    )
    about = f"{version}|{verdict['data_digest']}|{desk.now.isoformat()}"
    return _notices(desk, kind, sentence, about, _version_page(desk, version))


def of_failure(desk: Desk, error: Exception) -> tuple[Errand, ...]:
    """Return what a run that failed tells, once a day for one cause."""
    if isinstance(error, _TOLD_ELSEWHERE):
        return ()
    code, reason = failure_of(error)
    if isinstance(error, FrozenError):
        return _notices(desk, NoticeKind.FROZEN, reason, _daily(desk, code, reason))
    sentence = notices.failed_sentence(desk.name, code, reason)
    return _notices(desk, NoticeKind.FAILED, sentence, _daily(desk, code, reason))


def failure_of(error: Exception) -> tuple[str, str]:
    """Return an error's code and sentence; of one that nobody foresaw only its kind.

    Its words were not written for people, and may hold what a library was given.
    """
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code, str(error)
    return "FAILED", f"{type(error).__name__}; the log of the run has the details"


def mlflow_address(settings: Settings) -> str:
    """Return where people reach MLflow's pages, with no slash at its end."""
    if settings.notify.mlflow_address is not None:
        return settings.notify.mlflow_address.rstrip("/")
    if settings.tracking_uri.startswith(("http://", "https://")):
        return settings.tracking_uri.rstrip("/")
    return f"http://{settings.servers.reachable}:{settings.servers.mlflow_port}"


def _version_page(desk: Desk, version: int) -> str:
    address = mlflow_address(desk.settings)
    return f"{address}/#/models/{desk.model_name}/versions/{version}"


def _daily(desk: Desk, *cause: str) -> str:
    return "|".join((*cause, desk.now.date().isoformat()))


def _event(desk: Desk, payload: Payload, about: str) -> Errand:
    event = Event.of(payload, occurred=desk.now, about=about)
    return Errand(EVENT, event.id, event.stored)


def _notices(
    desk: Desk, kind: NoticeKind, sentence: str, about: str, link: str = ""
) -> tuple[Errand, ...]:
    """Return one errand for each target: what one service refuses, the others still get."""
    notice = Notice(
        id=stable_id("notice", kind.value, desk.name, about),
        kind=kind,
        kb=desk.name,
        time=desk.now,
        sentence=sentence,
        link=link or desk.page or f"{mlflow_address(desk.settings)}/#/experiments",
    )
    return tuple(_to(notice, desk.settings.notify.listening_to(kind)))


def _to(notice: Notice, targets: Iterable[str]) -> Iterable[Errand]:
    for target in targets:
        payload = {"target": target, "notice": notice.stored}
        yield Errand(NOTIFICATION, f"{notice.id}:{target}", payload)
