"""Do journal, MLflow and Prefect answer, and is anything in their place? Each asked for 2 s."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from flows.errors import FlowError
from flows.examining.damaged_files import sqlite_damage
from flows.examining.examination import Observation, failed, ok, warning
from flows.journal.journal import Journal, LeaseRow, open_journal
from flows.journal.lease import TTL_SECONDS
from flows.settings.settings import Settings

_PATIENCE_SECONDS = 2.0
_SQLITE = "sqlite:///"
_LARGEST_SKEW_SECONDS = 2.0  # as for the times of files


def check_journal(settings: Settings) -> Observation:
    """Observe whether the journal opens, which refuses a format that is newer than ours."""
    if not_yet := _not_yet(settings.journal_url):
        return ok("journal", not_yet)
    try:
        with open_journal(settings.journal_url) as journal:
            names = [name for name in sorted(settings.kb) if journal.serving(name) is not None]
    except FlowError as error:
        return failed("journal", f"{error.code}: {error}", "see docs/errors.md for this code")
    return ok("journal", f"it opens; {len(names)} of {len(settings.kb)} have a release")


def check_database_clock(
    settings: Settings, skew: Callable[[Journal], float | None] | None = None
) -> Observation:
    """Observe whether the machine of the journal's database has this machine's time."""
    name = "database clock"
    if not_yet := _not_yet(settings.journal_url):
        return ok(name, not_yet)
    try:
        with open_journal(settings.journal_url) as journal:
            found = (skew or clock_skew)(journal)
    except FlowError as error:
        return failed(name, f"{error.code}: {error}", "see journal")
    if found is None:
        return ok(name, "it is this machine's: the journal is a file")
    said = f"the database is {found:+.1f} s off this machine"
    if abs(found) > _LARGEST_SKEW_SECONDS:
        return warning(
            name, said, "have both follow NTP; entries of two machines seem out of order"
        )
    return ok(name, said)


def clock_skew(journal: Journal) -> float | None:
    """Return by how many seconds a database's clock is ahead of ours, None if it is the same one.

    Its answer is taken to be of the middle of the time that asking took.
    """
    began = time.time()
    there = journal.clock()
    return None if there is None else there - (began + time.time()) / 2


def check_leases(settings: Settings, now: float | None = None) -> Observation:
    """Observe who holds which lease, and whether one that died still does."""
    if not_yet := _not_yet(settings.journal_url):
        return ok("leases", not_yet)
    moment = time.time() if now is None else now
    try:
        with open_journal(settings.journal_url) as journal:
            held = [row for row in _leases(journal, settings) if row.holder]
    except FlowError as error:
        return failed("leases", f"{error.code}: {error}", "see journal")
    if any(moment - row.renewed >= TTL_SECONDS for row in held):
        return warning(
            "leases", _held(held, moment), "nothing: the next run takes a lease that is not renewed"
        )
    return ok("leases", _held(held, moment) if held else "none is held")


def check_mlflow(settings: Settings) -> Observation:
    """Observe whether MLflow's database is sound, or its server answers."""
    uri = settings.tracking_uri
    if uri.startswith("http"):
        why = refusal(f"{uri.rstrip('/')}/health")
        cure = "start it, or correct [mlflow] tracking_uri; runs wait for it"
        return failed("mlflow", why, cure) if why else ok("mlflow", f"{_shown(uri)} answers")
    if not_yet := _not_yet(uri):
        return ok("mlflow", not_yet)
    if uri.startswith(_SQLITE):
        file = Path(uri.removeprefix(_SQLITE))
        if wrong := sqlite_damage(file):
            return failed("mlflow", f"{str(file)!r}: {wrong}", "put it back from a backup")
    return ok("mlflow", _shown(uri))


def check_prefect(settings: Settings) -> Observation:
    """Observe whether a Prefect API answers; commands by hand do without."""
    ours = f"http://{_reached(settings)}:{settings.servers.prefect_port}/api"
    address = os.environ.get("PREFECT_API_URL") or ours
    if why := refusal(f"{address.rstrip('/')}/health"):
        cure = "`driftline up` starts one; without it nothing runs on a schedule"
        return warning("prefect", why, cure)
    return ok("prefect", f"{_shown(address)} answers")


def check_ports(settings: Settings) -> Observation:
    """Observe whether the ports of [servers] are free, or taken by the servers that are ours."""
    servers, host = settings.servers, _reached(settings)
    asked = {servers.prefect_port: "/api/health", servers.mlflow_port: "/health"}
    told, strangers = [], []
    for port, path in asked.items():
        if not _listens(host, port):
            told.append(f"{port} is free")
        elif refusal(f"http://{host}:{port}{path}"):
            strangers.append(str(port))
        else:
            told.append(f"{port} is served")
    if strangers:
        said = f"something else listens on {', '.join(strangers)}"
        return failed("ports", said, "stop it, or choose another port in [servers]")
    return ok("ports", ", ".join(told))


def refusal(address: str) -> str:
    """Return why an address does not answer, "" if it does; 401 and 403 are answers too."""
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_SECONDS):  # noqa: S310 - of the settings
            return ""
    except urllib.error.HTTPError as error:
        known = error.code in {401, 403}
        return "" if known else f"{_shown(address)} answers with status {error.code}"
    except (OSError, ValueError) as error:
        return f"{_shown(address)} does not answer: {getattr(error, 'reason', error)}"


def _leases(journal: Journal, settings: Settings) -> list[LeaseRow]:
    names = [name for kb in sorted(settings.kb) for name in (kb, f"{kb}:training")]
    return [row for name in names if (row := journal.lease(name)) is not None]


def _held(rows: list[LeaseRow], moment: float) -> str:
    return "; ".join(
        f"{row.name!r} is held by {_holder(row)}, renewed {moment - row.renewed:.0f} s ago"
        for row in rows
    )


def _holder(row: LeaseRow) -> str:
    told = json.loads(row.holder)
    return f"process {told.get('pid')} on {told.get('host')}"


def _not_yet(url: str) -> str:
    """Return what to say of a SQLite file that is not there yet, "" if it is, or is none."""
    file = Path(url.removeprefix(_SQLITE))
    waiting = url.startswith(_SQLITE) and not file.exists()
    return f"{str(file)!r} is made at the first refresh" if waiting else ""


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_PATIENCE_SECONDS)
        return probe.connect_ex((host.strip("[]"), port)) == 0


def _reached(settings: Settings) -> str:
    return settings.servers.reachable


def _shown(address: str) -> str:
    """Return an address without the password that may be in it."""
    head, at, tail = address.rpartition("@")
    return f"{head.partition('://')[0]}://{tail}" if at else address
