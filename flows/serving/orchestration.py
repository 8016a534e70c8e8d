"""The Prefect server as `driftline deploy` leaves it: work pools and deployments.

Safe to repeat. What a person paused stays paused, what a person added stays; what is as declared
is not written again, so that the runs that it has scheduled stay where they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    DeploymentSchedule,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint

from flows.serving.deployment_plan import Declared
from flows.settings.schedule import SLUG, Begin

POOLS = ("driftline-cpu", "driftline-gpu")

# A retraining may be asked for a knowledge base that came into the settings after the deployment.
_ANY_KB = frozenset({"retrain"})


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one thing on the server, and what of it; `kept` is a person's doing."""

    what: str
    name: str
    done: Literal["created", "updated", "removed", "kept"]
    note: str = ""


def create_pools(client: SyncPrefectClient) -> tuple[Change, ...]:
    """Create the work pools that are not there."""
    changes = []
    for name in POOLS:
        try:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        except ObjectAlreadyExists:
            continue
        changes.append(Change("work pool", name, "created"))
    return tuple(changes)


def put_deployment(
    client: SyncPrefectClient, wanted: Declared, kbs: Sequence[str]
) -> tuple[UUID, tuple[Change, ...]]:
    """Bring one deployment to what is declared; return its id and what that changed.

    `kbs` are the names that its form offers.
    """
    found = _found(client, wanted.name)
    payload = _payload(wanted, kbs)
    schedules = _schedules(wanted.begins, found.schedules if found else ())
    kept = tuple(_kept(wanted.name, found)) if found else ()
    differing = _differing(found, payload, schedules) if found else ()
    if found and not differing:
        return found.id, kept
    deployment_id = client.create_deployment(
        flow_id=client.create_flow_from_name(wanted.name),
        name=wanted.name,
        schedules=schedules,
        paused=found.paused if found else None,
        **payload,
    )
    done = Change("deployment", wanted.name, "updated" if found else "created")
    return deployment_id, (replace(done, note=", ".join(differing)), *kept)


def _found(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return None


def _payload(wanted: Declared, kbs: Sequence[str]) -> dict[str, Any]:
    """Return what of a deployment does not depend on what is on the server."""
    schema = load_flow_from_entrypoint(wanted.entrypoint).parameters.model_dump(exclude_unset=True)
    options = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    return {
        "entrypoint": wanted.entrypoint,
        "description": wanted.description,
        "tags": list(wanted.tags),
        "parameters": dict(wanted.parameters),
        "work_pool_name": wanted.pool,
        "job_variables": dict(wanted.job_variables),
        "concurrency_limit": wanted.limit,
        "concurrency_options": options if wanted.limit else None,
        "parameter_openapi_schema": _offering(schema, wanted, kbs),
        "enforce_parameter_schema": True,
    }


def _offering(schema: dict[str, Any], wanted: Declared, kbs: Sequence[str]) -> dict[str, Any]:
    """Return a form's schema whose knowledge base is chosen from a list."""
    properties = schema["properties"]
    if wanted.name in _ANY_KB or "kb" not in properties:
        return schema
    every = [wanted.parameters["kb"]] if "kb" in wanted.parameters else []
    kb = {**properties["kb"], "enum": [*every, *sorted(kbs)]}
    return {**schema, "properties": {**properties, "kb": kb}}


def _schedules(
    begins: Sequence[Begin], found: Sequence[DeploymentSchedule]
) -> list[DeploymentScheduleCreate]:
    """Return the schedules that are to be: the declared ones, and those that a person added.

    A declared one that is there already stays paused if it was; one that takes the place of
    others is paused if all of those were.
    """
    ours = {each.slug: each.active for each in found if _is_ours(each)}
    others = any(ours.values()) if ours else True
    declared = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=begin.cron, timezone=begin.timezone),
            active=ours.get(begin.slug, others),
            parameters={"kb": begin.kb} if begin.kb else {},
            slug=begin.slug,
        )
        for begin in begins
    ]
    added = [
        DeploymentScheduleCreate(
            schedule=each.schedule,
            active=each.active,
            parameters=each.parameters,
            slug=each.slug,
            max_scheduled_runs=each.max_scheduled_runs,
        )
        for each in found
        if not _is_ours(each)
    ]
    return [*declared, *added]


def _is_ours(schedule: DeploymentSchedule) -> bool:
    return (schedule.slug or "").startswith(SLUG)


def _differing(
    found: DeploymentResponse,
    payload: Mapping[str, Any],
    schedules: Sequence[DeploymentScheduleCreate],
) -> tuple[str, ...]:
    """Return the names of what is not on the server as it should be."""
    limit = found.global_concurrency_limit
    there = {
        **{name: getattr(found, name) for name in payload if name != "concurrency_limit"},
        "tags": sorted(found.tags),
        "concurrency_limit": limit.limit if limit else None,
        "schedules": sorted(_told(each) for each in found.schedules),
    }
    wanted = {
        **payload,
        "tags": sorted(payload["tags"]),
        "schedules": sorted(_told(each) for each in schedules),
    }
    return tuple(name for name, value in wanted.items() if there[name] != value)


def _told(schedule: DeploymentSchedule | DeploymentScheduleCreate) -> str:
    what = {"schedule", "active", "parameters", "slug"}
    shown = schedule.model_dump(mode="json", include=what)
    return json.dumps(shown, sort_keys=True)


def _kept(name: str, found: DeploymentResponse) -> Iterator[Change]:
    """Yield what a person did to a deployment, which is left as it is."""
    if found.paused:
        yield Change("deployment", name, "kept", "paused, as it was left")
    for each in found.schedules:
        if not each.active and not found.paused:
            yield Change("schedule", f"{name} {each.slug or ''}".strip(), "kept",
                         "paused, as it was left")  # fmt: skip
