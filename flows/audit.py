"""The evidence of a period: what the journal says of one knowledge base, sorted by what it shows.

Pure: rows of the journal come in, lines of JSON go out. The same period gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flows.journal.chain import digest_of
from flows.journal.redaction import REDACTION

Row = dict[str, Any]
"""A row of the journal as stored: all of an entry's values, its payload as text."""

CHAIN, LINEAGE, OTHER = "chain.jsonl", "lineage.jsonl", "other.jsonl"
# Which file an entry goes to by its kind; what is not listed goes to OTHER, so nothing is left out.
_FILES = {
    "release": "releases.jsonl",
    "check": "decisions.jsonl",
    "verdict": "evaluations.jsonl",
    "approval": "approvals.jsonl",
    "promotion": "approvals.jsonl",
    "freeze": "approvals.jsonl",
    "alias": "approvals.jsonl",
    "guard": "refusals.jsonl",
    "denial": "erasures.jsonl",
    "taint": "erasures.jsonl",
    "erasure": "erasures.jsonl",
    REDACTION: "erasures.jsonl",
    "refresh": "refreshes.jsonl",
    "upkeep": "refreshes.jsonl",
}
ENTRY_FILES = (*dict.fromkeys(_FILES.values()), OTHER)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since`, included, to `until`, not included; both UTC."""

    since: datetime
    until: datetime

    def holds(self, row: Row) -> bool:
        """Return whether an entry is of the period."""
        try:
            return self.since <= datetime.fromisoformat(row["time"]) < self.until
        except ValueError:
            return False  # a damaged entry, which the archive's chain shows as one


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes into an archive: the text of each file by its name, and what is counted in it.

    `last` is the digest of the last entry of the period, "" if there was none.
    """

    files: dict[str, str]
    entries: int
    last: str


def gather(rows: Sequence[Row], kb: str, period: Period) -> Evidence:
    """Return the evidence of a knowledge base over a period, from the whole chain in its order."""
    mine = [row for row in rows if row["kb"] == kb and period.holds(row)]
    files: dict[str, list[dict[str, Any]]] = {name: [] for name in ENTRY_FILES}
    for row in mine:
        files[file_of(row)].append(readable(row))
    files[LINEAGE] = list(_lineage(rows, mine))
    files[CHAIN] = list(_chained(rows, mine))
    return Evidence(
        {name: _lines(objects) for name, objects in sorted(files.items())},
        len(mine),
        mine[-1]["digest"] if mine else "",
    )


def file_of(row: Row) -> str:
    """Return the file that an entry goes to; a promotion that was refused is a refusal."""
    if row["kind"] == "promotion" and _payload(row).get("outcome") == "refused":
        return "refusals.jsonl"
    return _FILES.get(row["kind"], OTHER)


def readable(row: Row) -> dict[str, Any]:
    """Return an entry as the files for people have it: its payload as an object."""
    shown = ("sequence", "time", "kind", "key")
    return {name: row[name] for name in shown} | {"payload": _payload(row)}


def excused(rows: Iterable[Row]) -> dict[int, tuple[str, str]]:
    """Return the digests that rewritten entries had and must have, as redactions among rows say."""
    found: dict[int, tuple[str, str]] = {}
    for row in rows:
        if row.get("kind") == REDACTION:
            for each in _payload(row).get("entries", ()):
                found[each["sequence"]] = each["was"], each["is"]
    return found


def is_intact(row: Row, rewritten: dict[int, tuple[str, str]]) -> bool:
    """Return whether an entry is as it was written, or as a redaction vouches for."""
    told = row["digest"], digest_of(row)
    return told[0] == told[1] or rewritten.get(row["sequence"]) == told


def instant_of(text: str) -> datetime:
    """Return a day or a time as one instant, UTC where it does not say; raise ValueError.

    >>> str(instant_of("2026-04-01")), str(instant_of("2026-04-01T02:00:00+02:00"))
    ('2026-04-01 00:00:00+00:00', '2026-04-01 00:00:00+00:00')
    """
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


def _chained(rows: Sequence[Row], mine: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield the chain from the first entry of the period to its last.

    What is of another knowledge base, or of another time, is there by its digests alone. After it
    come redactions of later times that vouch for what was rewritten.
    """
    if not mine:
        return
    whole = {row["sequence"] for row in mine}
    first, last = mine[0]["sequence"], mine[-1]["sequence"]
    for row in rows[first - 1 : last]:
        yield row if row["sequence"] in whole else _link(row)
    for row in rows[last:]:
        if row["kind"] == REDACTION and whole & set(excused([row])):
            yield row


def _link(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("sequence", "previous", "digest")}


def _lineage(rows: Sequence[Row], mine: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield what each release of the period was made of, and which refresh read the documents."""
    read = {(row["kb"], row["key"]): _payload(row) for row in rows if row["kind"] == "refresh"}
    for row in mine:
        if row["kind"] != "release":
            continue
        release = _payload(row).get("release", {})
        refresh = read.get((row["kb"], release.get("content_digest")), {})
        counts = {name: refresh.get(name) for name in ("documents", "chunks", "sources")}
        yield {"sequence": row["sequence"], "time": row["time"], "release": row["key"]} | {
            **release,
            **counts,
        }


def _payload(row: Row) -> dict[str, Any]:
    """Return an entry's payload; of a damaged one its text, under a name that says so."""
    try:
        payload: dict[str, Any] = json.loads(row["payload"])
    except ValueError:
        return {"unreadable": row["payload"]}
    return payload


def _lines(objects: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(each, sort_keys=True) + "\n" for each in objects)
