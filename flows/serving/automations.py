"""Automations on the Prefect server: an event starts a check, a run without a heartbeat is crashed.

Safe to repeat: one is found by its name, and stays switched off if a person switched it off.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import (
    Automation,
    AutomationCore,
    EventTrigger,
    Posture,
)
from prefect.events.schemas.events import ResourceSpecification

from flows.serving.orchestration import Change

CHANGED = "driftline.documents.changed"
"""The event that says that documents of a knowledge base changed."""

RESOURCE = "driftline.kb."
"""How a knowledge base is named in an event: this, and its name."""

# A run takes about this long to begin reading, so it sees what a burst of events tells of.
_BURST_SECONDS = 10
# The least that Prefect takes; four beats missed are no hiccup of the server.
HEARTBEAT_SECONDS = 30
_SILENT_SECONDS = 4 * HEARTBEAT_SECONDS


def put_automations(client: SyncPrefectClient, monitor: UUID) -> tuple[Change, ...]:
    """Create or update what is declared here, `monitor` being the deployment that checks."""
    changes = [_put(client, wanted) for wanted in (_on_change(monitor), _on_silence())]
    return tuple(change for change in changes if change is not None)


def _put(client: SyncPrefectClient, wanted: AutomationCore) -> Change | None:
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return Change("automation", wanted.name, "created")
    there = found[0]
    kept = None
    if not there.enabled:
        kept = Change("automation", wanted.name, "kept", "switched off, as it was left")
    if _told(there) == _told(wanted):
        return kept
    client.update_automation(there.id, wanted.model_copy(update={"enabled": there.enabled}))
    return Change("automation", wanted.name, "updated")


def _told(automation: AutomationCore | Automation) -> dict[str, Any]:
    # Not as JSON: the events of a trigger are a set, in any order.
    return automation.model_dump(include={"description", "trigger", "actions"})


def _on_change(monitor: UUID) -> AutomationCore:
    template = f"{{{{ event.resource.id | replace('{RESOURCE}', '') }}}}"
    return AutomationCore(
        name="driftline: check when documents change",
        description=(
            f"An event `{CHANGED}` about `{RESOURCE}NAME` starts a check of that knowledge base. "
            f"Events within {_BURST_SECONDS} s start one check."
        ),
        trigger=EventTrigger(
            expect={CHANGED},
            match=ResourceSpecification({"prefect.resource.id": f"{RESOURCE}*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(seconds=_BURST_SECONDS),
        ),
        actions=[
            RunDeployment(
                deployment_id=monitor,
                parameters={"kb": {"__prefect_kind": "jinja", "template": template}},
            )
        ],
    )


def _on_silence() -> AutomationCore:
    beat = "prefect.flow-run.heartbeat"
    ended = {f"prefect.flow-run.{name}" for name in
             ("Completed", "Superseded", "Failed", "Crashed", "Cancelled", "Suspended", "Paused",
              "AwaitingRetry", "Retrying")}  # fmt: skip
    return AutomationCore(
        name="driftline: crash what fell silent",
        description=(
            "A flow run of Driftline whose process sends no heartbeat any more is marked as "
            "crashed, wherever it ran."
        ),
        trigger=EventTrigger(
            after={beat},
            expect={beat, *ended},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.id": "prefect.tag.driftline", "prefect.resource.role": "tag"}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=_SILENT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"Its process sent no heartbeat for {_SILENT_SECONDS} s.",
            )
        ],
    )
