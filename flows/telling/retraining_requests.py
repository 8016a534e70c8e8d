"""Retrainings asked for through their deployment, once for each key."""

from __future__ import annotations

from typing import Any

from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows.records import Request

_RETRAIN = "retrain/retrain"
_ATTEMPTS = 5


def ask_deployment(request: Request) -> str | None:
    """Ask for a retraining through its deployment, once for each key; None without a server.

    A server answers a repeated key with the run it already has. Only if that run broke is the
    next one asked for, under the next key.
    """
    if not PREFECT_API_URL.value():
        return None
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            run: Any = run_deployment(
                _RETRAIN,
                parameters={
                    "kb": request.kb,
                    "snapshot": request.snapshot,
                    "reason": request.reason,
                    "requested_by": request.requested_by,
                },
                idempotency_key=f"{request.key}-{attempt}",
                timeout=0,
                as_subflow=False,
            )
        except ObjectNotFound:
            return None
        broken = run.state is not None and (run.state.is_crashed() or run.state.is_failed())
        if not broken:
            return f"flow run {run.name}"
    return f"nothing: {_ATTEMPTS} runs for this text broke, see {_RETRAIN} in Prefect"
