"""The champion: registering the first one, moving the alias, and following a person who moved it.

The journal says which model answers; MLflow's alias `champion` repeats it for other tools. After
each move an `alias` entry confirms it. So an alias that differs is either lagging (a run was
killed before it moved it) and is moved, or was confirmed before and moved by a person since.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import replace

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.failpoints import reach
from flows.journal.journal import Fence
from flows.promoting.promotions import ALIAS, Attempt, Outcome, frozen, refuse, withdrawn
from flows.release import Published, Release
from flows.telling import entries as telling
from flows.tracking.model_cards import base_card
from training.errors import TrainingError
from training.records import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"

_log = logging.getLogger(__name__)


def first_champion(desk: Desk, snapshot: str) -> ModelVersion:
    """Return the base model as registered champion; a killed run's registration is adopted."""
    registered = desk.registry.aliased(desk.model_name, CHAMPION)
    if registered is not None:
        return registered
    base = desk.base
    key = hashlib.sha256(f"{base.digest} {snapshot}".encode()).hexdigest()[:16]
    with desk.tracker.model_run(f"base model, {desk.now:%Y-%m-%d %H:%M}", desk.now) as run:
        version = desk.registry.register(
            name=desk.model_name,
            base=base,
            adapter=None,
            snapshot=snapshot,
            data_digest="",
            requested_by="",
            run_id=run.run_id,
            evaluation=None,
            verdict=None,
            card=base_card(desk.name, base, snapshot),
            key=key,
        )
    reach("champion.registered")
    move_alias(desk, version.version, expected=None)
    return version


def answering_with(release: Release, model: ModelVersion) -> Release:
    """Return a release with another model in it."""
    return replace(
        release,
        model_version=model.version,
        trained_on=model.snapshot,
        base_digest=model.base_digest,
        adapter_digest=model.adapter_digest,
    )


def move_alias(desk: Desk, version: int, *, expected: int | None) -> None:
    """Point MLflow's alias at the version that answers, and confirm it in the journal.

    Raises AliasMovedError if it is not where it is expected (None: nowhere).
    """
    desk.registry.point(desk.model_name, CHAMPION, version, expected=expected)
    reach("champion.pointed")
    desk.journal.append(desk.name, "alias", {"version": version}, time=desk.now)
    reach("champion.confirmed")


def reconcile(desk: Desk, fence: Fence) -> Published | None:
    """Bring alias and journal together; return the publication if a person's move was followed.

    An alias that is gone, or that points at what must not answer, is set back to what answers, and
    the history says why. Raises ModelCorruptError where it is the champion that is damaged.
    """
    serving = desk.journal.serving(desk.name)
    if serving is None:
        return None
    answering = serving.release.model_version
    pointed = desk.registry.pointed(desk.model_name, CHAMPION)
    if pointed == answering:
        desk.registry.version(desk.model_name, answering)
        return None
    confirmed = desk.journal.last(desk.name, "alias")
    by_hand = confirmed is not None and confirmed.payload["version"] == answering
    if pointed is None or not by_hand:
        move_alias(desk, answering, expected=pointed)
        return None
    if objection := _objection(desk, serving.release, pointed):
        _put_back(desk, fence, answering, pointed, objection)
        return None
    return _follow(desk, fence, serving, desk.registry.version(desk.model_name, pointed))


def settle(desk: Desk, fence: Fence) -> int | None:
    """Reconcile before a change of champion and return the version that the alias is at.

    A champion that is damaged is no obstacle: it is about to be left.
    """
    with suppress(TrainingError):
        reconcile(desk, fence)
    return desk.registry.pointed(desk.model_name, CHAMPION)


def _objection(desk: Desk, serving: Release, version: int) -> str:
    """Return why the alias is not followed to a version, "" if it is."""
    if taken_back := withdrawn(desk.journal, desk.name, version):
        return (
            f"version {version} was withdrawn by {taken_back.actor} ({taken_back.why}); promote it "
            f"with `driftline promote {desk.name} --version {version}`"
        )
    if taint := taint_of(desk.journal, desk.name, version):
        return f"version {version} was trained on a document that {taint.actor} had erased"
    if freeze := frozen(desk.journal, desk.name):
        return (
            f"{desk.name!r} was frozen by {freeze.actor} ({freeze.why}); let it go on with "
            f"`driftline resume {desk.name}`, then move the alias again"
        )
    try:
        model = desk.registry.version(desk.model_name, version)
    except TrainingError as error:
        return str(error)
    if model.base_digest != serving.base_digest:
        return f"version {version} was made for another base model than the one that answers"
    return ""


def _put_back(desk: Desk, fence: Fence, answering: int, pointed: int, objection: str) -> None:
    """Refuse a person's move with a line of history, and set the alias back to what answers."""
    attempt = Attempt(desk.now, ALIAS, Outcome.REFUSED, answering, pointed, objection)
    refuse(desk.journal, desk.name, attempt, objection, fence=fence)
    reach("champion.objected")
    told = "The alias %r of %r was moved in MLflow by hand and set back to version %d: %s"
    _log.warning(told, CHAMPION, desk.model_name, answering, objection)
    move_alias(desk, answering, expected=pointed)


def _follow(desk: Desk, fence: Fence, serving: Published, aliased: ModelVersion) -> Published:
    before, release = serving.release.model_version, answering_with(serving.release, aliased)
    reason = (
        f"the alias {CHAMPION!r} was moved in MLflow by hand, "
        f"from version {before} to {aliased.version}"
    )
    attempt = Attempt(
        desk.now, ALIAS, Outcome.PROMOTED, before, aliased.version, reason, release.id
    )
    published = desk.journal.publish(
        release,
        kind="manual",
        reason=reason,
        time=desk.now,
        fence=fence,
        expected_version=before,
        beside=[attempt.line],
        errands=telling.of_promotion(desk, release, attempt),
    )
    reach("champion.followed")
    desk.journal.append(desk.name, "alias", {"version": aliased.version}, time=desk.now)
    return published
