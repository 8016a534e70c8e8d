"""Documents whose old text still answers, because their new one could not be taken in."""

from __future__ import annotations

from flows.desk import Desk
from flows.journal.journal import Fence
from retrieval.records import Completeness, RefreshPlan
from retrieval.sources import source_name

_KIND = "stale"


def record(desk: Desk, fence: Fence, plan: RefreshPlan) -> None:
    """Write down which documents are stale, and why, where that has changed."""
    found = stale_documents(plan)
    if found != documents(desk):
        payload = {"documents": found}
        desk.journal.append(desk.name, _KIND, payload, time=desk.now, fence=fence)


def documents(desk: Desk) -> dict[str, str]:
    """Return the documents that are stale now, each with the reason."""
    last = desk.journal.last(desk.name, _KIND)
    return dict(last.payload["documents"]) if last is not None else {}


def stale_documents(plan: RefreshPlan) -> dict[str, str]:
    """Return what a plan keeps without having seen it as it is now, each with the reason."""
    refused = {refusal.uri: refusal.reason for refusal in plan.refused}
    unseen = {
        part.name: part.reason
        for part in plan.sources
        if part.completeness is not Completeness.COMPLETE
    }
    names = {part.name for part in plan.sources if part.configured}
    above = "a folder above it was refused"
    return {
        uri: refused.get(uri) or unseen.get(source_name(uri, names) or "", above)
        for uri in plan.kept
    }
