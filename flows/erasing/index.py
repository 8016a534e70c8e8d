"""The index without erased documents: a new table from what answers, and the old ones gone.

A snapshot that held it is withdrawn and not rewritten: with a document cut out it is not what
answered then. What the champion is measured from is carried over without it, or no drift could be
told until the next training.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flows.desk import Desk
from flows.erasing.plan import Work, index_folder, keep_work, tables
from flows.failpoints import reach
from flows.journal.journal import Fence
from flows.steps import Perform
from retrieval.records import Snapshot
from retrieval.table_erasure import (
    holds_any,
    remove_leftovers,
    remove_whole,
    write_without,
)
from retrieval.table_folder import TableFolders
from retrieval.table_rows import document_key


def rewrite_index(desk: Desk, perform: Perform, fence: Fence, work: Work) -> Work:
    """Publish what answers without the documents, and remove every table that held them.

    Returns the work with the snapshots that went, and with what took a reference's place.
    """
    remove_leftovers(index_folder(desk), desk.name)
    there = tables(desk)
    doomed = {
        generation: table
        for generation, table in there.items()
        if holds_any(table, {document_key(uri) for uri in work.subject.names})
    }
    if not doomed:
        return work
    work = _noted(desk, work, doomed)
    target = _target(there, work)
    if target is None:
        target = perform("Writing the index anew", lambda _: _write(desk, work))
    reach("forget.written")
    work = _carried(desk, work, doomed, target)
    ready = perform("Building indices", lambda _: _ready(desk, target))
    _publish(desk, fence, work, doomed, ready)
    reach("forget.published")
    for table in doomed.values():
        remove_whole(table)
        reach("forget.removed")
    return work


def _noted(desk: Desk, work: Work, doomed: dict[int, Path]) -> Work:
    """Write down which published snapshots go, before they do."""
    names = {
        name
        for each in desk.journal.history(desk.name)
        for name in (each.release.snapshot, each.release.trained_on)
        if Snapshot.parse(name).generation in doomed
    }
    noted = replace(work, held=tuple(sorted({*work.held, *names})))
    keep_work(desk, noted)
    return noted


def _mark(work: Work) -> str:
    return f"erasure-{work.id}"


def _target(there: dict[int, Path], work: Work) -> int | None:
    """Return the table that this erasure wrote before it was killed, if it did."""
    made = [number for number, table in there.items() if (table / _mark(work)).exists()]
    return made[-1] if made else None


def _write(desk: Desk, work: Work) -> int:
    """Write what answers as a new table; return its number. The one below it stays free."""
    folders = TableFolders(index_folder(desk), desk.name)
    current = Snapshot.parse(desk.release().release.snapshot)
    target = max(folders.generations()) + 2
    write_without(
        folders.path(current.generation),
        current.version,
        _keys(desk, work, current, newest=True),
        folders.path(target),
        mark=_mark(work),
    )
    return target


def _write_reference(desk: Desk, work: Work, reference: Snapshot, target: int) -> Snapshot:
    """Write what drift is measured from as a table of its own, below the one that answers."""
    apart = Snapshot(desk.name, 1, generation=target - 1)
    folders = TableFolders(index_folder(desk), desk.name)
    if not folders.path(apart.generation).exists():
        write_without(
            folders.path(reference.generation),
            reference.version,
            _keys(desk, work, reference, newest=False),
            folders.path(apart.generation),
            mark=f"{_mark(work)}-reference",
        )
    desk.index.settle(apart)
    reach("forget.carried")
    return apart


def _keys(desk: Desk, work: Work, snapshot: Snapshot, *, newest: bool) -> frozenset[str]:
    uris = work.subject.within(desk.index.documents(snapshot), newest=newest)
    return frozenset(map(document_key, uris))


def _ready(desk: Desk, target: int) -> Snapshot:
    """Return the new table's newest version once it can be searched and outlasts a power cut."""
    newest = desk.index.newest(Snapshot(desk.name, 1, generation=target))
    ready = desk.index.prepare(newest)
    desk.index.settle(ready)
    reach("forget.indexed")
    return ready


def _carried(desk: Desk, work: Work, doomed: dict[int, Path], target: int) -> Work:
    """Carry the reference over if it goes, and write down which snapshot it is now."""
    release = desk.release().release
    reference = Snapshot.parse(release.trained_on)
    if reference.generation not in doomed or not desk.index.holds(reference):
        return work
    if release.trained_on == release.snapshot:
        carried = Snapshot(desk.name, 1, generation=target)
    else:
        carried = _write_reference(desk, work, reference, target)
    work = replace(work, moved={**work.moved, release.trained_on: str(carried)})
    keep_work(desk, work)
    return work


def _count(desk: Desk, fence: Fence, ready: Snapshot, digest: str) -> None:
    """Write down how much is left, as a refresh does, once: what answers was refreshed by none."""
    if desk.journal.last(desk.name, "count", key=digest) is None:
        left = {"documents": len(desk.index.documents(ready)), "chunks": desk.index.count(ready)}
        desk.journal.append(desk.name, "count", left, time=desk.now, key=digest, fence=fence)


def _publish(
    desk: Desk, fence: Fence, work: Work, doomed: dict[int, Path], ready: Snapshot
) -> None:
    """Publish the new table's newest version, and let the reference be the one in it."""
    serving = desk.release().release
    release = replace(serving, trained_on=work.moved.get(serving.trained_on, serving.trained_on))
    if Snapshot.parse(serving.snapshot).generation in doomed:
        digest = desk.index.content_digest(ready)
        release = replace(release, snapshot=str(ready), content_digest=digest)
        _count(desk, fence, ready, digest)
    if release == serving:
        return
    count = len(work.subject.now)
    desk.journal.publish(
        release,
        kind="erasure",
        reason=f"{count} document{'s' * (count != 1)} erased by {work.actor}: {work.why}",
        time=desk.now,
        fence=fence,
        expected_version=serving.model_version,
    )
