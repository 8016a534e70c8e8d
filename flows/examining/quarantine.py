"""What the index may set aside, asked of the journal, and the line that says that it did."""

from __future__ import annotations

from datetime import datetime

from flows.journal.journal import Journal
from retrieval.records import Snapshot
from retrieval.table_folder import Keeper, Quarantined

QUARANTINE = "quarantine"


def keeper_of(journal: Journal, kb: str, now: datetime) -> Keeper:
    """Return a keeper for the index of a knowledge base: nothing that answers is set aside."""

    def serves() -> Snapshot | None:
        serving = journal.serving(kb)
        return Snapshot.parse(serving.release.snapshot) if serving else None

    def tell(found: Quarantined) -> None:
        payload = {
            "snapshot": str(found.snapshot),
            "file": found.file.name,
            "reason": found.reason,
        }
        journal.append(kb, QUARANTINE, payload, time=now, key=str(found.snapshot))

    return Keeper(serves, tell)
