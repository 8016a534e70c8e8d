"""Hands events and requests for retraining to a Prefect server; says so where it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.events import Event as PrefectEvent
from prefect.settings import PREFECT_API_URL

from flows.desk import Desk
from flows.errors import UndeliveredError
from flows.records import Request
from flows.settings.settings import Settings
from flows.telling.delivery import Couriers
from flows.telling.duty import on_duty
from flows.telling.events import Event
from flows.telling.retraining_requests import ask_deployment


def desk_on_duty(settings: Settings, name: str, *, now: datetime) -> AbstractContextManager[Desk]:
    """Open a desk for the flow run under way: a failure is told, what waits is delivered."""
    return on_duty(settings, name, couriers=couriers(), now=now, page=page())


def couriers() -> Couriers:
    """Return who takes requests and events; nobody where no server is configured."""
    if not PREFECT_API_URL.value():
        return Couriers()
    return Couriers(ask=ask, emit=emit)


def ask(request: Request) -> str | None:
    """Ask for a retraining through its deployment; raise UndeliveredError."""
    with _answering():
        return ask_deployment(request)


def emit(event: Event) -> None:
    """Hand over an event and wait until the server has it; raise UndeliveredError.

    Prefect's own `emit_event` returns at once, and loses the event where the server is down. The
    server drops an id that it has seen in the last minutes.
    """
    told = PrefectEvent(
        id=UUID(event.id),
        occurred=event.occurred,
        event=event.name,
        resource={
            "prefect.resource.id": f"driftline.kb.{event.kb}",
            "prefect.resource.name": event.kb,
        },
        payload=event.payload,
    )
    with _answering(), get_client(sync_client=True) as client:
        # The client has no method for it, but one for any route, with its password and its retries.
        client.request("POST", "/events", json=[told.model_dump(mode="json")])


def page() -> str:
    """Return where people see the flow run under way, "" outside of one."""
    return str(runtime.flow_run.ui_url or "") if runtime.flow_run.id else ""


@contextmanager
def _answering() -> Iterator[None]:
    """Tell a server that is away, or out of order, from everything else."""
    try:
        yield
    # RuntimeError: "Failed to reach API", by Prefect's client where it looks at the version first.
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        # Its words may hold the address, and with it a password.
        msg = f"the Prefect server did not take it ({type(error).__name__}); is it running?"
        raise UndeliveredError(msg) from error
