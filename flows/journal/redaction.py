"""Text out of journal entries, so that the chain still shows every other change.

An entry keeps the digest it was written with, so the entries after it still follow. What its
payload says now is vouched for by a later `redaction` entry, which the chain protects: whoever
verifies sees which entries were rewritten, when, by whom and why, and that none other was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from flows.journal import tables

REDACTION = "redaction"
# These say what was erased, or vouch for what was; they hold no text.
UNTOUCHED = frozenset({REDACTION, "denial", "taint", "erasure"})

Rewrite = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Returns the payload of an entry as it may stay, given the entry's kind and its payload."""


def rewrite_payloads(
    connection: sa.Connection,
    kb: str,
    rewrite: Rewrite,
    digest_of: Callable[[dict[str, Any]], str],
) -> list[dict[str, Any]]:
    """Rewrite the entries of a knowledge base; return each with the digest it had and has now."""
    query = sa.select(tables.entries).where(tables.entries.c.kb == kb)
    changed = []
    for row in connection.execute(query.order_by(tables.entries.c.sequence)).all():
        stored = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        if stored["kind"] in UNTOUCHED:
            continue
        payload = json.loads(stored["payload"])
        rewritten = rewrite(stored["kind"], payload)
        if rewritten == payload:
            continue
        now = {**stored, "payload": json.dumps(rewritten, sort_keys=True, default=str)}
        this = tables.entries.c.sequence == stored["sequence"]
        connection.execute(sa.update(tables.entries).where(this).values(payload=now["payload"]))
        changed.append(
            {"sequence": stored["sequence"], "was": stored["digest"], "is": digest_of(now)}
        )
    return changed


def vouched(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    """Return what each rewritten entry was and must be now, by sequence; the newest rewrite."""
    query = sa.select(tables.entries.c.payload).where(tables.entries.c.kind == REDACTION)
    found: dict[int, tuple[str, str]] = {}
    for payload in connection.scalars(query.order_by(tables.entries.c.sequence)):
        for each in json.loads(payload)["entries"]:
            found[each["sequence"]] = each["was"], each["is"]
    return found
