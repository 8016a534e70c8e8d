"""When the next scheduled check runs: asked of a Prefect server over HTTP, which must not hang.

Prefect itself is not imported: that takes seconds, and `driftline status` answers at once.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim

from flows.settings.schedule import begins
from flows.settings.settings import Settings
from monitors.decision.quiet_hours import zone_named

PATIENCE_SECONDS = 1.0
_LARGEST_BYTES = 2_000_000
# A server keeps a few days of runs ahead for each deployment; the next one is among the first.
_RUNS = 200
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A check that is scheduled; `kb` is "" where the run is for every knowledge base."""

    time: datetime
    kb: str


@dataclass(frozen=True, slots=True)
class NextRun:
    """When the next check runs, None where nothing is scheduled; who says so, and what of it."""

    time: datetime | None
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class Server:
    """A Prefect server: its API's address, and the header that lets us in, "" where none does."""

    address: str
    authorization: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The address without what may be a password in it.

        >>> Server("http://ada:secret@prefect.example:4200/api").shown
        'http://prefect.example:4200/api'
        """
        parts = urllib.parse.urlsplit(self.address)
        host = parts.hostname or ""
        at = f"{host}:{parts.port}" if parts.port else host
        return urllib.parse.urlunsplit((parts.scheme, at, parts.path, "", ""))


def prefect_server(settings: Settings) -> Server:
    """Return where the Prefect server is: by Prefect's own variables, else as the settings say."""
    told = os.environ.get("PREFECT_API_URL")
    if key := os.environ.get("PREFECT_API_KEY"):
        return Server(told or _ours(settings), f"Bearer {key}")
    password = os.environ.get("PREFECT_API_AUTH_STRING")
    variable = settings.servers.auth_variable
    if told is None and password is None and variable is not None:
        password = os.environ.get(variable)
    basic = f"Basic {base64.b64encode(password.encode()).decode()}" if password else ""
    return Server(told or _ours(settings), basic)


def next_run(settings: Settings, kb: str, slots: Sequence[Slot] | None, now: datetime) -> NextRun:
    """Return the next check of a knowledge base: what the server has, else by the settings.

    What the settings say holds only where some scheduler runs; the note says that none was found.
    """
    if slots is None:
        absent = (
            f"if a scheduler runs: no Prefect server answers at {prefect_server(settings).shown}"
        )
        return NextRun(by_settings(settings, kb, now), "settings", absent)
    times = [slot.time for slot in slots if slot.kb in {"", kb}]
    if not times:
        note = "nothing is scheduled there: the schedule is paused, or not deployed"
        return NextRun(None, "Prefect", note)
    return NextRun(min(times), "Prefect", "")


def by_settings(settings: Settings, kb: str, now: datetime) -> datetime | None:
    """Return when the settings want the next check of a knowledge base, None for never."""
    own = {kb: settings.knowledge_base(kb).schedule}
    found = begins("monitor", settings.schedule, own)
    if not found:
        return None
    there = now.astimezone(zone_named(found[0].timezone))
    return next(CronSim(found[0].cron, there)).astimezone(UTC)


def scheduled(server: Server, *, seconds: float = PATIENCE_SECONDS) -> tuple[Slot, ...] | None:
    """Return the checks that a Prefect server has scheduled, None if it does not say so in time.

    A server that answers a byte a minute outlasts every socket's timeout, so the question is asked
    by a thread that is left alone when its time is over.
    """
    answer: queue.SimpleQueue[tuple[Slot, ...] | None] = queue.SimpleQueue()
    asking = threading.Thread(target=lambda: answer.put(_ask(server, seconds)), daemon=True)
    asking.start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return None


def _ask(server: Server, seconds: float) -> tuple[Slot, ...] | None:
    try:
        with _opener(server).open(_request(server), timeout=seconds) as response:
            runs = json.loads(response.read(_LARGEST_BYTES))
        return tuple(_slot(run) for run in runs)
    except (OSError, ValueError, KeyError, TypeError, urllib.error.URLError):
        # Whatever is wrong with the server, the status of everything else is worth showing.
        return None


def _request(server: Server) -> urllib.request.Request:
    asked = {
        "flows": {"name": {"any_": ["monitor"]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": _RUNS,
    }
    url = f"{server.address.rstrip('/')}/flow_runs/filter"
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        msg = f"Not the address of a server: {server.shown!r}."
        raise ValueError(msg)
    headers = {"Content-Type": "application/json"}
    if server.authorization:
        headers["Authorization"] = server.authorization
    return urllib.request.Request(url, json.dumps(asked).encode(), headers)  # noqa: S310 - see above


def _opener(server: Server) -> urllib.request.OpenerDirector:
    """Return what opens an address; a proxy of the environment cannot reach this machine."""
    here = urllib.parse.urlsplit(server.address).hostname in _LOOPBACK
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def _ours(settings: Settings) -> str:
    servers = settings.servers
    return f"http://{servers.host}:{servers.prefect_port}/api"


def _slot(run: dict[str, Any]) -> Slot:
    time = datetime.fromisoformat(run["expected_start_time"]).astimezone(UTC)
    return Slot(time, str(run["parameters"].get("kb") or ""))
