"""Names of flow runs, as sentences. Pure text.

A flow run is named when it begins, from its parameters; until then Prefect calls it what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

_EVERY = "every knowledge base"
_SHORT = 12


def name_of(flow: str, given: Mapping[str, Any], due: datetime) -> str:
    """Return the name of a run of a flow with its parameters, due at a time.

    >>> name_of("monitor", {"kb": "docs"}, datetime(2026, 3, 1, 14, tzinfo=UTC))
    'Check docs, due 2026-03-01 14:00'
    >>> name_of("rollback", {"kb": "docs", "release": "3f2a1b"}, datetime(2026, 3, 1, tzinfo=UTC))
    'Go back to release 3f2a1b in docs'
    """
    kb = str(given.get("kb") or _EVERY)
    named = _NAMES.get(flow)
    return named(kb, given, due) if named else f"{flow} {kb}"


def _check(kb: str, _given: Mapping[str, Any], due: datetime) -> str:
    return f"Check {kb}, due {due.astimezone(UTC):%Y-%m-%d %H:%M}"


def _refresh(kb: str, given: Mapping[str, Any], _due: datetime) -> str:
    accepted = given.get("accept")
    return f"Refresh {kb}" + (f" by the accepted plan {accepted}" if accepted else "")


def _retrain(kb: str, given: Mapping[str, Any], _due: datetime) -> str:
    return f"Retrain {kb} on {given.get('snapshot') or 'what answers now'}"


def _promote(kb: str, given: Mapping[str, Any], _due: datetime) -> str:
    version = given.get("version")
    return f"Promote {f'version {version}' if version else 'the challenger'} of {kb}"


def _rollback(kb: str, given: Mapping[str, Any], _due: datetime) -> str:
    return f"Go back to release {str(given.get('release'))[:_SHORT]} in {kb}"


def _forget(kb: str, given: Mapping[str, Any], _due: datetime) -> str:
    count = len(given.get("uris", ()))
    return f"Forget {count} document{'s' if count != 1 else ''} of {kb}"


_NAMES: dict[str, Callable[[str, Mapping[str, Any], datetime], str]] = {
    "monitor": _check,
    "refresh": _refresh,
    "maintain": lambda kb, _given, _due: f"Tidy the index of {kb}",
    "verify": lambda kb, given, _due: f"Look for damage in {kb}, depth {given.get('depth')}",
    "retrain": _retrain,
    "promote": _promote,
    "rollback": _rollback,
    "forget": _forget,
}
