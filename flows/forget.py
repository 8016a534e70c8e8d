"""Erase documents: deny them first, then take them out of every place, prove it, and say so.

A step looks at what is there and not at what an earlier run wrote, so a killed erasure is begun
again and ends where an undisturbed one does. What cannot be rewritten in place is made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from flows.desk import Desk
from flows.erasing import places
from flows.erasing.erasures import (
    ERASURE,
    TAINT,
    Denial,
    denial_of,
    denylist,
    done_for,
    is_denied,
    taint_of,
)
from flows.erasing.index import rewrite_index
from flows.erasing.plan import Work, begin, file_of, keep_work, read_work, subject_of
from flows.erasing.proof import Proof, prove
from flows.erasing.receipt import Receipt, keep_receipt, read_receipt
from flows.erasing.traces import Redactor
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence
from flows.records import Request
from flows.steps import OnProgress, Perform
from flows.telling import entries as telling
from retrieval.denylist import keyed
from training.examples.erasure import names_erased
from training.tainting import Taints, tainted_among

_log = logging.getLogger(__name__)


def forget(desk: Desk, perform: Perform, uris: Sequence[str], *, actor: str, why: str) -> Receipt:
    """Erase documents and return the receipt; one that was erased before returns its own.

    Nothing else writes meanwhile, neither a refresh nor a training. Raises BusyError,
    NoReleaseError, NothingToForgetError before anything is written, and ErasureIncompleteError
    where a place cannot be rewritten now: run it again.
    """
    with _alone(desk) as fence:
        begun = read_work(desk)
        if begun is not None:
            receipt = _finish(desk, perform, fence, begun)
            if set(uris) <= set(begun.subject.names):
                return receipt
        done = done_for(desk.journal, desk.name, uris)
        if done is not None:
            return read_receipt(done)
        asked = _Asked(tuple(uris), actor, why)
        return _finish(desk, perform, fence, _begin(desk, perform, fence, asked))


@contextmanager
def _alone(desk: Desk) -> Iterator[Fence]:
    """Hold both leases: a refresh would write the text again, a training would learn it."""
    with ExitStack() as held:
        fence = held.enter_context(lease.hold(desk.journal, desk.name))
        held.enter_context(lease.hold(desk.journal, f"{desk.name}:training"))
        yield fence


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person asked for."""

    uris: tuple[str, ...]
    actor: str
    why: str


def _begin(desk: Desk, perform: Perform, fence: Fence, asked: _Asked) -> Work:
    """Deny the documents, and write down what to look for while it can still be read."""
    subject = perform("Looking for every version", lambda _: subject_of(desk, asked.uris))
    names = [uri for uri in subject.now if uri in subject.ever]
    bare = denial_of(
        desk.journal, desk.name, uris=names, contents=subject.contents, actor=asked.actor, why=""
    )
    work = perform(
        "Reading what to look for",
        lambda _: begin(desk, subject, named=bare.id, actor=asked.actor, why=asked.why),
    )
    # The reason must not bring back what it is the reason for.
    work = replace(work, why=Redactor(work.traces).text(asked.why), tainted=_tainted(desk, work))
    _deny(desk, fence, replace(bare, why=work.why))
    keep_work(desk, work)
    reach("forget.begun")
    return work


def _deny(desk: Desk, fence: Fence, denial: Denial) -> None:
    if is_denied(desk.journal, denial, desk.name):
        return
    line = denial.line
    desk.journal.append(
        desk.name, line.kind, line.payload, time=desk.now, key=line.key, fence=fence
    )
    reach("forget.denied")


def _tainted(desk: Desk, work: Work) -> tuple[int, ...]:
    """Return the versions that know one of the documents, by the rows they were trained on."""
    trained = Taints(desk.settings.tracking_uri, desk.model_name).trained()
    return tainted_among(
        trained,
        lambda folder: names_erased(folder, work.subject.erased),
        lambda name: places.may_hold(desk, work.subject, name),
    )


def _finish(desk: Desk, perform: Perform, fence: Fence, work: Work) -> Receipt:
    """Take the documents out of every place, the one that answers first."""
    work = rewrite_index(desk, perform, fence, work)
    _taint(desk, fence, work)
    perform("Marking what was trained on it", lambda _: _mark(desk, work), retries=2)
    reach("forget.tainted")
    redactor = Redactor(work.traces, frozenset(work.subject.names))
    perform("Erasing caches and reports", lambda _: places.erase_caches(desk, work, redactor))
    reach("forget.caches")
    perform("Erasing what MLflow keeps", lambda _: places.erase_tracking(desk, work, redactor))
    reach("forget.tracking")
    perform(
        "Erasing what the journal quotes",
        lambda _: places.erase_journal(desk, work, redactor, fence),
    )
    reach("forget.journal")
    proof = perform("Looking for what is left", lambda tell: _prove(desk, work, tell))
    reach("forget.proved")
    return _close(desk, fence, work, proof)


def _taint(desk: Desk, fence: Fence, work: Work) -> None:
    """Block the versions that know the documents, once; MLflow repeats it for people."""
    if not work.tainted or desk.journal.last(desk.name, TAINT, key=work.id) is not None:
        return
    payload = {"versions": list(work.tainted), "actor": work.actor, "why": work.why}
    desk.journal.append(desk.name, TAINT, payload, time=desk.now, key=work.id, fence=fence)
    reach("forget.blocked")


def _mark(desk: Desk, work: Work) -> None:
    taints = Taints(desk.settings.tracking_uri, desk.model_name)
    for old, new in work.moved.items():
        taints.move_snapshot(old, new)
    told = f"erasure {work.id} by {work.actor} on {work.began:%Y-%m-%d %H:%M} UTC: {work.why}"
    for version in work.tainted:
        taints.mark(version, told)


def _prove(desk: Desk, work: Work, tell: OnProgress) -> Proof:
    listed = list(places.places_to_search(desk))
    return prove(listed, work.traces, lambda done: tell(done, len(listed)))


def _close(desk: Desk, fence: Fence, work: Work, proof: Proof) -> Receipt:
    """Write the receipt, then the journal's entry with what is asked for, and end the work."""
    receipt = _receipt(desk, work, proof)
    keep_receipt(desk, receipt)
    reach("forget.receipt")
    _record(desk, fence, work, receipt)
    reach("forget.recorded")
    file_of(desk).unlink(missing_ok=True)
    return receipt


def _receipt(desk: Desk, work: Work, proof: Proof) -> Receipt:
    release, history = desk.release().release, desk.journal.history(desk.name)
    gone = {each.release.id for each in history if each.release.snapshot in work.held}
    stays = {each.release.id for each in history if each.release.snapshot not in work.held}
    return Receipt(
        id=work.id,
        kb=desk.name,
        time=work.began,
        actor=work.actor,
        why=work.why,
        documents=len(work.subject.now),
        chunks=work.chunks,
        release=release.id,
        snapshot=release.snapshot,
        withdrawn=tuple(sorted(gone - stays)),
        snapshots=work.held,
        tainted=work.tainted,
        champion_tainted=taint_of(desk.journal, desk.name, release.model_version) is not None,
        proof=proof,
        out_of_reach=places.out_of_reach(desk),
    )


def _record(desk: Desk, fence: Fence, work: Work, receipt: Receipt) -> None:
    """Write the erasure to the journal, once, and ask for a champion that does not know it."""
    if desk.journal.last(desk.name, ERASURE, key=work.id) is not None:
        return
    salt = denylist(desk.journal, desk.name).salt
    payload = {
        **receipt.told,
        "receipt": receipt.digest,
        "uris": sorted(keyed(salt, uri) for uri in work.subject.names),
        "found": sum(count for _, count in receipt.proof.found),
        "releases": list(receipt.withdrawn),
    }
    errands = [telling.retraining(_request(desk, work))] if receipt.champion_tainted else []
    desk.journal.append(
        desk.name,
        ERASURE,
        payload,
        time=desk.now,
        key=work.id,
        fence=fence,
        errands=errands,
    )


def _request(desk: Desk, work: Work) -> Request:
    """Return the retraining of a champion that must not answer much longer, whatever the drift."""
    release = desk.release().release
    return Request(
        kb=desk.name,
        snapshot=release.snapshot,
        reason=f"the champion was trained on what erasure {work.id} erased",
        requested_by="",
        key=telling.request_key(desk, release),
        champion=release.model_version,
    )
