"""How a knowledge base stands, as scripts read it: one object. People read it elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flows.showing.look import Status
from flows.showing.results import instant
from flows.showing.status import Decided


def status_object(status: Status) -> dict[str, Any]:
    """Return how a knowledge base stands; shares 0..1, times UTC, null where nothing is known."""
    stands, last = status.standing, status.standing.last
    release = stands.published.release if stands.published else None
    known = last.staleness if last else None
    stopped, waiting, freeze, taint = (
        stands.stopped,
        stands.waiting,
        stands.frozen,
        stands.tainted,
    )
    return {
        "release": release.id if release else None,
        "snapshot": release.snapshot if release else None,
        "model_version": release.model_version if release else None,
        "since": _instant(stands.since),
        "documents": stands.documents,
        "chunks": stands.chunks,
        "snapshot_taken": _instant(stands.taken),
        "snapshot_age_seconds": _age(status.now, stands.taken),
        "sources_read": _instant(stands.read),
        "old_text": [asdict(each) for each in stands.old_text],
        "last_check": _instant(last.time if last else None),
        "staleness": known.share if known else None,
        "staleness_low": known.low if known else None,
        "staleness_high": known.high if known else None,
        "watch_level": stands.watch_level,
        "retrain_level": stands.retrain_level,
        "level": stands.level.value,
        "decision": last.action.value if last else None,
        "reason": last.reason if last else None,
        "decisions": [_decision_object(each) for each in stands.decisions],
        "next_run": _instant(status.next_run.time),
        "next_run_from": status.next_run.source or None,
        "next_run_note": status.next_run.note or None,
        "training": _plain(stands.training),
        "writing": _plain(stands.writing),
        "waiting": _plain(waiting),
        "guard": _plain(stopped),
        "frozen": freeze.why if freeze else None,
        "tainted": _plain(taint),
        "outbox": [_plain(each) for each in status.outbox],
        "disk": {**asdict(status.disk), "snapshots": stands.snapshots},
    }


def _decision_object(each: Decided) -> dict[str, Any]:
    return {
        "time": instant(each.time),
        "number": each.number,
        "action": each.action.value,
        "staleness": each.staleness.share if each.staleness else None,
        "reason": each.reason,
        "mlflow_run": each.run_id,
    }


def _instant(time: datetime | None) -> str | None:
    return instant(time) if time else None


def _age(now: datetime, then: datetime | None) -> float | None:
    return (now - then).total_seconds() if then else None


def _plain(record: Any) -> dict[str, Any] | None:
    """Return a record's fields, its times as scripts read them."""
    if record is None:
        return None
    return {
        name: instant(value) if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }
