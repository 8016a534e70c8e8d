"""What the last refresh came to, remembered for a next one that finds nothing changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from retrieval.errors import SourceUnreachableError
from retrieval.planning import DocumentChanges, plan_digest
from retrieval.records import (
    Completeness,
    Recipe,
    Refreshed,
    RefreshPlan,
    Refusal,
    RefusalCode,
    Snapshot,
    SourcePart,
)
from retrieval.sources import Feed, source_name

_FORMAT = "1"  # of the note; one of another shape is not understood, and not used


def calm_key(recipe: Recipe, feeds: Sequence[Feed]) -> list[str] | None:
    """Return what decides a plan over a base, None where a source cannot say so cheaply.

    As long as it and the base are the same, so is everything that a refresh would find.
    """
    key = [_FORMAT, recipe.embedder, recipe.cutting]
    for feed in feeds:
        try:
            fingerprint = feed.source.fingerprint()
        except SourceUnreachableError:
            return None  # the listing will say what is wrong
        if fingerprint is None:
            return None
        key += [feed.name, feed.settings, feed.trust, fingerprint]
    return key


def remember(key: Sequence[str], plan: RefreshPlan, done: Refreshed) -> dict[str, Any]:
    """Return a note of what an applied plan left behind, in values that JSON can hold."""
    return {
        "base": str(done.snapshot),
        "key": list(key),
        "documents": done.documents,
        "chunks": done.chunks,
        "content_digest": done.content_digest,
        "kept": list(plan.kept),
        "refused": [asdict(refusal) for refusal in plan.refused],
        "sources": _sources(plan),
    }


def _sources(plan: RefreshPlan) -> list[tuple[str, int, int]]:
    """Return for each source its name, how much the index holds of it, and how much it lists."""
    parts = [part for part in plan.sources if part.configured]
    names = {part.name for part in parts}
    kept = Counter(source_name(uri, names) for uri in plan.kept)
    return [(part.name, part.listed + kept[part.name], part.listed) for part in parts]


def recall(
    note: dict[str, Any] | None, key: Sequence[str] | None, base: Snapshot | None
) -> tuple[RefreshPlan, Refreshed] | None:
    """Return the plan that changes nothing and what applying it comes to, if the note fits."""
    if note is None or base is None or (note["base"], note["key"]) != (str(base), key):
        return None
    refused = tuple(
        Refusal(row["uri"], RefusalCode(row["code"]), row["reason"]) for row in note["refused"]
    )
    unchanged = note["documents"] - len(note["kept"])
    nothing = DocumentChanges((), (), (), (), tuple(note["kept"]), (), unchanged)
    plan = RefreshPlan(
        kb=base.kb,
        base=base,
        added=(),
        edited=(),
        moved=(),
        removed=(),
        kept=nothing.kept,
        unchanged=unchanged,
        documents_before=note["documents"],
        refused=refused,
        chunks=0,
        written=0,
        embedded=0,
        digest=plan_digest(base, nothing, {}, refused),
        sources=tuple(
            SourcePart(name, Completeness.COMPLETE, before=before, listed=listed)
            for name, before, listed in note["sources"]
        ),
        estimated_seconds=0.0,
    )
    done = Refreshed(
        snapshot=base,
        content_digest=note["content_digest"],
        documents=note["documents"],
        chunks=note["chunks"],
        embedded=0,
        reused=0,
        seconds=0.0,
    )
    return plan, done
