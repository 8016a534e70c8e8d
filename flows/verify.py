"""Look for damage in all that a knowledge base rests on: journal, index, models, trainings, pages.

Writes one journal entry and nothing else; putting right is `flows.examining.repair`.
"""

from __future__ import annotations

import time

from flows.desk import Desk
from flows.examining.damaged_files import (
    look_at_databases,
    look_at_journal,
    look_at_measurement,
    look_at_pages,
    look_at_receipts,
)
from flows.examining.damaged_index import look_at_index
from flows.examining.damaged_models import look_at_models
from flows.examining.damaged_trainings import look_at_trainings
from flows.examining.verification import Depth, Notes, Verification
from flows.journal import lease
from flows.steps import Perform

_PATIENCE_SECONDS = 900.0


def verify(desk: Desk, perform: Perform, *, depth: Depth = Depth.SUBSET) -> Verification:
    """Return what is damaged, after writing it down; what is found is looked at twice.

    Nobody is kept from writing meanwhile. Where something was found and a writer was at work, it
    is looked at again under the writer's lease, since a version may have gone for good reason.
    """
    began, epoch = time.monotonic(), _epoch(desk)
    notes = _look(desk, perform, depth)
    if notes.findings and _epoch(desk) != epoch:
        with lease.hold(desk.journal, desk.name, patience_seconds=_PATIENCE_SECONDS):
            notes = _look(desk, perform, depth)
    serving = desk.journal.serving(desk.name)
    found = Verification(
        kb=desk.name,
        depth=depth,
        release=serving.release.id if serving else "",
        findings=tuple(notes.findings),
        remarks=tuple(notes.remarks),
        checked=dict(sorted(notes.checked.items())),
        seconds=time.monotonic() - began,
    )
    line = found.line
    desk.journal.append(desk.name, line.kind, line.payload, time=desk.now, key=line.key)
    return found


def _look(desk: Desk, perform: Perform, depth: Depth) -> Notes:
    notes = Notes()
    perform("Verifying the journal", lambda _: look_at_journal(desk, notes))
    if desk.journal.serving(desk.name) is None:
        notes.remarks.append(f"{desk.name!r} has no release yet: `driftline refresh {desk.name}`")
        return notes
    perform("Verifying the index", lambda on: look_at_index(desk, depth, notes, on))
    if depth is not Depth.QUICK:
        sound = perform("Verifying the databases", lambda _: look_at_databases(desk, notes))
        perform("Verifying the pages", lambda _: _look_at_papers(desk, notes))
        perform("Verifying the trainings", lambda _: look_at_trainings(desk, depth, notes))
        if sound:
            perform("Verifying the models", lambda _: look_at_models(desk, depth, notes))
    return notes


def _look_at_papers(desk: Desk, notes: Notes) -> None:
    look_at_pages(desk, notes)
    look_at_measurement(desk, notes)
    look_at_receipts(desk, notes)


def _epoch(desk: Desk) -> tuple[int, str]:
    """Return what changes whenever a writer begins or ends."""
    row = desk.journal.lease(desk.name)
    return (row.epoch, row.holder) if row else (0, "")
