"""Whether a server can be reached at all, before a library waits for it for minutes."""

from __future__ import annotations

import socket
import time
import urllib.request
from urllib.parse import SplitResult, urlsplit

from flows.errors import ClusterUnavailableError, TrackingUnavailableError

# A server that restarts is back by then, and nobody waits for longer.
PATIENCE_SECONDS = 10.0
_BETWEEN_SECONDS = 1.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def require_tracking(uri: str) -> None:
    """Raise TrackingUnavailableError unless MLflow's server, or its database's, takes calls.

    A file asks nobody; where a proxy or a socket's path is in between, that is left to MLflow.
    """
    at = urlsplit(uri)
    if refused := _refused(at, _PORTS.get(at.scheme.partition("+")[0])):
        msg = (
            f"MLflow at {_shown(at)} cannot be reached: {refused}. What answered before still "
            "answers, and the journal has what was published; MLflow gets the rest with the next "
            "run. Start it, or put [mlflow] tracking_uri right, and run this again."
        )
        raise TrackingUnavailableError(msg)


def require_cluster(address: str) -> None:
    """Raise ClusterUnavailableError unless a scheduler at HOST:PORT takes calls."""
    at = urlsplit(address if "//" in address else f"//{address}")
    if refused := _refused(at, None):
        msg = (
            f"The cluster at {_shown(at)} cannot be reached: {refused}. Nothing was changed, and "
            "what answered before still answers. Start its scheduler, or put [scale] address "
            "right; without an address a cluster of this machine is started for the run."
        )
        raise ClusterUnavailableError(msg)


def _refused(at: SplitResult, port: int | None) -> str:
    """Return why nobody takes calls there, "" if somebody does or it cannot be told from here."""
    there = at.port or port
    if not at.hostname or there is None or _is_behind_a_proxy(at):
        return ""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            left = max(_BETWEEN_SECONDS, deadline - time.monotonic())
            socket.create_connection((at.hostname, there), timeout=left).close()
        except OSError as error:
            if time.monotonic() + _BETWEEN_SECONDS >= deadline:
                return f"{error.strerror or error}, tried for {PATIENCE_SECONDS:g} s"
        else:
            return ""
        time.sleep(_BETWEEN_SECONDS)


def _is_behind_a_proxy(at: SplitResult) -> bool:
    by_proxy = at.scheme in urllib.request.getproxies()
    return by_proxy and not urllib.request.proxy_bypass(at.hostname or "")


def _shown(at: SplitResult) -> str:
    """Return an address without user and password.

    >>> _shown(urlsplit("postgresql://u:secret@db:5432/mlflow"))
    "'postgresql://db:5432'"
    """
    scheme, port = f"{at.scheme}://" if at.scheme else "", f":{at.port}" if at.port else ""
    return repr(f"{scheme}{at.hostname}{port}")
