"""Bring a Prefect server to what prefect.yaml and the settings declare, in one process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from flows.errors import ServerError
from flows.serving.abandoned import crash_abandoned
from flows.serving.automations import put_automations
from flows.serving.deployment_plan import declared, notices
from flows.serving.late_runs import skip_late
from flows.serving.orchestration import Change, create_pools, put_deployment
from flows.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment changed on which server, and what a person should know of its schedules."""

    server: str
    changes: tuple[Change, ...]
    notices: tuple[str, ...]

    def payload(self) -> dict[str, Any]:
        """Return it as an object of JSON."""
        return {
            "server": self.server,
            "changes": [asdict(change) for change in self.changes],
            "notices": list(self.notices),
        }

    def lines(self) -> list[str]:
        """Return it as sentences, one a line.

        >>> Deployed("http://127.0.0.1:4200/api", (), ()).lines()
        ['Nothing to change on http://127.0.0.1:4200/api.']
        """
        told = [
            f"{change.done:8} {change.what} {change.name}"
            + (f": {change.note}" * bool(change.note))
            for change in self.changes
        ]
        return [*(told or [f"Nothing to change on {self.server}."]), *self.notices]


def deploy(settings: Settings, now: datetime) -> Deployed:
    """Create or update work pools, deployments and automations; tidy runs that nobody performs.

    Safe to repeat. Raises ServerError where no server answers at PREFECT_API_URL.
    """
    address = PREFECT_API_URL.value()
    if not address:
        msg = (
            "No Prefect server is named. `driftline up` starts one and deploys to it; for another "
            "one set PREFECT_API_URL, such as http://127.0.0.1:4200/api."
        )
        raise ServerError(msg)
    try:
        with get_client(sync_client=True) as client:
            changes = _deploy(client, settings, now)
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        msg = (
            f"The Prefect server at {address} did not take the deployments: "
            f"{type(error).__name__}: {error}. What was deployed before is still there; run it "
            "again when the server answers."
        )
        raise ServerError(msg) from error
    return Deployed(address, changes, notices(settings, now))


def _deploy(client: SyncPrefectClient, settings: Settings, now: datetime) -> tuple[Change, ...]:
    changes = list(create_pools(client))
    ids: dict[str, UUID] = {}
    for wanted in declared(settings):
        ids[wanted.name], done = put_deployment(client, wanted, sorted(settings.kb))
        changes += done
    changes += put_automations(client, ids["monitor"])
    changes += crash_abandoned(client, now)
    changes += skip_late(client, ids["monitor"], now)
    return tuple(changes)
