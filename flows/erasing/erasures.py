"""What was erased, what must never come back, and which models know it: read from the journal.

No text, no uri: a denial holds keyed digests, an erasure counts. Nothing here erases.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.errors import TaintedError
from flows.journal.journal import Entry, Journal, Line
from retrieval.denylist import Denylist, keyed

DENIAL, TAINT, ERASURE = "denial", "taint", "erasure"


@dataclass(frozen=True, slots=True)
class Denial:
    """Documents that must never be taken in again, as keyed digests; who said so, and why."""

    id: str
    actor: str
    why: str
    salt: str
    uris: tuple[str, ...]
    contents: tuple[str, ...]

    @property
    def line(self) -> Line:
        """The denial as a line of the journal, findable by its id."""
        payload = {
            "actor": self.actor,
            "why": self.why,
            "salt": self.salt,
            "uris": list(self.uris),
            "contents": list(self.contents),
        }
        return Line(DENIAL, payload, key=self.id)


@dataclass(frozen=True, slots=True)
class Taint:
    """Why a version must not answer again: the erasure it is of, when, by whom."""

    version: int
    erasure: str
    time: datetime
    actor: str
    why: str


def denylist(journal: Journal, kb: str) -> Denylist:
    """Return what a refresh of a knowledge base must not take in."""
    denials = [entry.payload for entry in journal.entries(kb, DENIAL)]
    return Denylist(
        salt=denials[0]["salt"] if denials else "",
        uris=frozenset(uri for denial in denials for uri in denial["uris"]),
        contents=frozenset(digest for denial in denials for digest in denial["contents"]),
    )


def denial_of(
    journal: Journal,
    kb: str,
    *,
    uris: Collection[str],
    contents: Collection[str],
    actor: str,
    why: str,
) -> Denial:
    """Return the denial of documents, under the key of the first one; its id names the erasure."""
    salt = denylist(journal, kb).salt or secrets.token_hex(16)
    by_uri = tuple(sorted(keyed(salt, uri) for uri in uris))
    by_content = tuple(sorted(keyed(salt, digest) for digest in contents))
    named = keyed(salt, "\n".join([*by_uri, "", *by_content]))[:12]
    return Denial(named, actor, why, salt, by_uri, by_content)


def is_denied(journal: Journal, denial: Denial, kb: str) -> bool:
    """True if all of a denial is in force already: a run that was killed wrote it."""
    there = denylist(journal, kb)
    return there.uris.issuperset(denial.uris) and there.contents.issuperset(denial.contents)


def done_for(journal: Journal, kb: str, uris: Collection[str]) -> Entry | None:
    """Return the newest erasure of these very uris, None if they were not all erased."""
    salt = denylist(journal, kb).salt
    wanted = {keyed(salt, uri) for uri in uris} if salt else set()
    for entry in reversed(journal.entries(kb, ERASURE)):
        if wanted and wanted <= set(entry.payload["uris"]):
            return entry
    return None


def taint_of(journal: Journal, kb: str, version: int) -> Taint | None:
    """Return why a version must not answer again, None if nothing it was trained on was erased."""
    for entry in reversed(journal.entries(kb, TAINT)):
        told = entry.payload
        if version in told["versions"]:
            return Taint(version, entry.key, entry.time, told["actor"], told["why"])
    return None


def refuse_tainted(journal: Journal, kb: str, version: int) -> None:
    """Raise TaintedError, which says who erased what it was trained on, and the cure."""
    taint = taint_of(journal, kb, version)
    if taint is None:
        return
    msg = (
        f"Version {version} of {kb!r} was trained on a document that {taint.actor} had erased on "
        f"{taint.time:%Y-%m-%d %H:%M} UTC (erasure {taint.erasure!r}), so it must not be promoted "
        "or gone back to. What answers keeps answering; train one without it: "
        f"`driftline retrain {kb}`."
    )
    raise TaintedError(msg)


def withdrawn_by_erasure(journal: Journal, kb: str, snapshot: str) -> Entry | None:
    """Return the erasure that took a snapshot away, None if none did."""
    for entry in reversed(journal.entries(kb, ERASURE)):
        if snapshot in entry.payload["snapshots"]:
            return entry
    return None


def why_gone(journal: Journal, kb: str, snapshot: str) -> str:
    """Say that a snapshot went with an erasure, "" where it did not."""
    entry = withdrawn_by_erasure(journal, kb, snapshot)
    if entry is None:
        return ""
    return (
        f"Snapshot {snapshot} held a document that was erased on {entry.time:%Y-%m-%d} by "
        f"{entry.payload['actor']}, so it was withdrawn and cannot be searched or asked any more."
    )


def summary(payload: dict[str, Any]) -> str:
    """Say in one line what an erasure came to, for a history.

    >>> summary({"documents": 1, "releases": ["a", "b"], "tainted": [2], "found": 0})
    '1 document erased; 2 releases withdrawn; tainted versions: 2; no trace left'
    """
    count = payload["documents"]
    told = [f"{count} document{'s' * (count != 1)} erased"]
    if payload["releases"]:
        told.append(f"{len(payload['releases'])} releases withdrawn")
    if payload["tainted"]:
        told.append(f"tainted versions: {', '.join(map(str, payload['tainted']))}")
    found = payload["found"]
    told.append(f"{found} traces left" if found else "no trace left")
    return "; ".join(told)
