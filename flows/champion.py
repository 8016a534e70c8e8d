"""The champion: registering the first one, moving the alias, and following a person who moved it.

The journal says which model answers; MLflow's alias `champion` repeats it for other tools. After
each move an `alias` entry confirms it. So an alias that differs is either lagging (a run was
killed before it moved it) and is moved, or was confirmed before and moved by a person since.
"""

from __future__ import annotations

from dataclasses import replace

from flows.cards import base_card
from flows.desk import Desk
from flows.journal import Fence
from flows.release import Published
from training.records import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"


def first_champion(desk: Desk, snapshot: str) -> ModelVersion:
    """Return the base model as registered champion; a killed run's registration is adopted."""
    registered = desk.registry.aliased(desk.model_name, CHAMPION)
    if registered is not None:
        return registered
    base = desk.base
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
        )
    move_alias(desk, version.version)
    return version


def move_alias(desk: Desk, version: int) -> None:
    """Point MLflow's alias at the version that answers, and confirm it in the journal."""
    desk.registry.point(desk.model_name, CHAMPION, version)
    desk.journal.append(desk.name, "alias", {"version": version}, time=desk.now)


def reconcile(desk: Desk, fence: Fence) -> Published | None:
    """Bring alias and journal together; return the publication if a person's move was followed."""
    serving = desk.journal.serving(desk.name)
    if serving is None:
        return None
    aliased = desk.registry.aliased(desk.model_name, CHAMPION)
    confirmed = desk.journal.last(desk.name, "alias")
    answering = serving.release.model_version
    if aliased is not None and aliased.version == answering:
        return None
    by_hand = confirmed is not None and confirmed.payload["version"] == answering
    if aliased is None or not by_hand:
        move_alias(desk, answering)
        return None
    return _follow(desk, fence, serving, aliased)


def _follow(desk: Desk, fence: Fence, serving: Published, aliased: ModelVersion) -> Published:
    release = replace(
        serving.release,
        model_version=aliased.version,
        trained_on=aliased.snapshot,
        base_digest=aliased.base_digest,
        adapter_digest=aliased.adapter_digest,
    )
    reason = (
        f"the alias {CHAMPION!r} was moved in MLflow by hand, "
        f"from version {serving.release.model_version} to {aliased.version}"
    )
    published = desk.journal.publish(
        release,
        kind="manual",
        reason=reason,
        time=desk.now,
        fence=fence,
        expected_version=serving.release.model_version,
    )
    desk.journal.append(desk.name, "alias", {"version": aliased.version}, time=desk.now)
    return published
