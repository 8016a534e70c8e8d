"""Results as scripts read them (one object) and as people read them (a table)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.maintain import Maintained
from flows.records import MonitorOutcome, RefreshOutcome
from flows.release import Published
from flows.showing.drift import drift_object, drift_view
from flows.showing.training import retrain_object, retrain_view
from monitors.wording import percent, printable
from retrieval.records import Completeness, Hit, RefreshPlan

if TYPE_CHECKING:
    from retrieval.table_hubs import Hub

_SHOWN = 12
_LISTED = {
    Completeness.PARTIAL: "is listed in part only",
    Completeness.FAILED: "could not be listed",
}


def instant(time: datetime) -> str:
    """Return a time as scripts read it: UTC, ISO 8601, whole seconds."""
    return time.isoformat(timespec="seconds")


def plan_object(plan: RefreshPlan) -> dict[str, Any]:
    """Return a plan: counts of documents, `embedded` and `reused` in chunks."""
    return {
        "kb": plan.kb,
        "snapshot": str(plan.base) if plan.base else None,
        "release": None,
        "added": len(plan.added),
        "edited": len(plan.edited),
        "moved": len(plan.moved),
        "removed": len(plan.removed),
        "unchanged": plan.unchanged,
        "refused": [asdict(refusal) for refusal in plan.refused],
        "embedded": plan.embedded,
        "reused": plan.reused,
        "listing": plan.completeness.value,
        "sources": [asdict(part) for part in plan.sources],
        "kept": len(plan.kept),
        "leaving": len(plan.leaving),
        "flagged": [asdict(flagged) for flagged in plan.flagged],
        "neutralised": plan.neutralised,
        "rebuild": plan.rebuild,
        "estimated_seconds": plan.estimated_seconds,
        "digest": plan.digest,
    }


def refresh_object(outcome: RefreshOutcome) -> dict[str, Any]:
    """Return what a refresh did."""
    return {
        **plan_object(outcome.plan),
        "snapshot": str(outcome.refreshed.snapshot),
        "release": outcome.published.release.id,
        "embedded": outcome.refreshed.embedded,
        "reused": outcome.refreshed.reused,
        "seconds": round(outcome.refreshed.seconds, 3),
    }


def upkeep_object(kb: str, outcome: Maintained) -> dict[str, Any]:
    """Return what upkeep did."""
    release = outcome.published.release
    return {
        "kb": kb,
        "release": release.id,
        "snapshot": release.snapshot,
        **asdict(outcome.tidied),
        "hubs": [asdict(hub) for hub in outcome.hubs],
    }


def monitor_object(outcome: MonitorOutcome) -> dict[str, Any]:
    """Return a whole scheduled run."""
    check = outcome.check
    return {
        **refresh_object(check.refresh),
        "drift": drift_object(check.report, check.decision),
        "retraining": retrain_object(outcome.retraining) if outcome.retraining else None,
        "requested": outcome.requested,
        "mlflow_run": outcome.run_id,
    }


def hits_object(
    published: Published, hits: tuple[Hit, ...], stale: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a search found, stamped with the release that it was found in.

    `stale` says of a hit why its document could not be taken in anew, if so.
    """
    found = [
        {
            "uri": hit.uri,
            "chunk": hit.chunk,
            "text": hit.text,
            "similarity": hit.similarity,
            "found_by": list(hit.found_by),
            "also": list(hit.also),
            "stale": stale.get(hit.uri),
        }
        for hit in hits
    ]
    return {"release": published.release.id, "hits": found, "answer": None, "citations": []}


def history_object(history: tuple[Published, ...]) -> list[dict[str, Any]]:
    """Return every publication, newest last."""
    return [
        {
            "release": published.release.id,
            "time": instant(published.time),
            "kind": published.kind,
            "snapshot": published.release.snapshot,
            "model_version": published.release.model_version,
            "reason": published.reason,
        }
        for published in history
    ]


def plan_view(plan: RefreshPlan) -> RenderableType:
    """Show what a refresh would change."""
    table = Table("documents", "count", "which")
    moved = tuple(f"{move.old} → {move.new}" for move in plan.moved)
    refused = tuple(f"{refusal.uri}: {refusal.reason}" for refusal in plan.refused)
    flagged = tuple(f"{each.uri}: {', '.join(each.flags)}" for each in plan.flagged)
    rows = {"added": plan.added, "edited": plan.edited, "moved": moved, "removed": plan.removed}
    rare = {"leaving": plan.leaving, "kept": plan.kept, "flagged": flagged}
    shown = {**rows, "refused": refused} | {name: uris for name, uris in rare.items() if uris}
    for name, uris in shown.items():
        table.add_row(name, str(len(uris)), Text(_some(uris)))
    table.add_row("unchanged", str(plan.unchanged), "")
    return Group(table, *map(Text, _plan_lines(plan)))


def _plan_lines(plan: RefreshPlan) -> list[str]:
    """Say what a plan costs, and what is out of the ordinary about it."""
    seconds = plan.estimated_seconds
    took = f", about {seconds:,.0f} s" if seconds else ""
    lines = [
        f"{part.name or 'The source'} {_LISTED[part.completeness]}: {part.reason.rstrip('.')}."
        for part in plan.sources
        if part.completeness is not Completeness.COMPLETE
    ]
    if plan.neutralised:
        lines.append(f"{plan.neutralised:,} control or invisible characters are taken out.")
    if plan.rebuild:
        lines.append(
            "The embedder or the way of cutting changed: the whole index is made anew, beside the "
            "one that answers."
        )
    cost = f"{plan.embedded:,} chunks to embed{took}, {plan.reused:,} to reuse."
    return [*lines, f"{cost} Plan {plan.digest[:12]}"]


def refresh_view(outcome: RefreshOutcome) -> RenderableType:
    """Show what a refresh did."""
    done, release = outcome.refreshed, outcome.published.release
    state = "published" if outcome.is_new else "still answers: nothing changed"
    text = Text(
        f"Release {release.id} {state}. {release.snapshot}: {done.documents} documents, "
        f"{done.chunks} chunks; {done.embedded} embedded, {done.reused} reused, "
        f"{done.seconds:.1f} s."
    )
    lines = [f"  refused {printable(r.uri)}: {r.reason}" for r in outcome.plan.refused]
    lines += [
        f"  flagged {printable(each.uri)}: {', '.join(each.flags)}; searched, not trained on"
        for each in outcome.plan.flagged
    ]
    return Group(text, *map(Text, lines))


def upkeep_view(outcome: Maintained) -> RenderableType:
    """Show what upkeep did."""
    done, release = outcome.tidied, outcome.published.release
    saved = done.bytes_before - done.bytes_after
    compacted = "compacted" if done.compacted else "no need to compact"
    told = Text(
        f"Release {release.id} answers from {release.snapshot}. {compacted.capitalize()}; "
        f"{done.versions_removed:,} versions removed, {done.versions_left:,} left; "
        f"{saved / 1e6:,.1f} MB freed, {done.bytes_after / 1e6:,.1f} MB in use."
    )
    return Group(told, *(Text(line) for line in hub_lines(outcome.hubs)))


def hub_lines(hubs: tuple[Hub, ...]) -> list[str]:
    """Say which documents are near to everything."""
    return [
        f"{printable(hub.uri)} is among the five nearest to {percent(hub.share)} of other texts: "
        "stuffed with words or damaged, it crowds out answers. Look at it, or exclude it."
        for hub in hubs
    ]


def monitor_view(outcome: MonitorOutcome) -> RenderableType:
    """Show a whole scheduled run."""
    check = outcome.check
    parts = [refresh_view(check.refresh), drift_view(check.report, check.decision)]
    if outcome.retraining:
        parts.append(retrain_view(check.refresh.plan.kb, outcome.retraining))
    if outcome.requested:
        parts.append(Text(f"Retraining asked for: {outcome.requested}"))
    return Group(*parts)


def hits_view(hits: tuple[Hit, ...], stale: Mapping[str, str]) -> RenderableType:
    """Show hits with their place and similarity; best first, which is not by similarity alone."""
    table = Table("similarity", "document", "text", show_lines=True)
    for hit in hits:
        place = " > ".join((printable(hit.uri), *hit.headings[-1:]))
        place += f"\nand {len(hit.also)} more with this text" if hit.also else ""
        place += f"\nstale: {stale[hit.uri]}" if hit.uri in stale else ""
        table.add_row(f"{hit.similarity:.2f}", Text(place), Text(hit.text[:400]))
    return table


def history_view(history: tuple[Published, ...]) -> RenderableType:
    """Show every publication, newest last."""
    table = Table("time", "release", "kind", "snapshot", "model", "reason")
    for published in history:
        release = published.release
        table.add_row(
            f"{published.time:%Y-%m-%d %H:%M}",
            release.id[:8],
            published.kind,
            release.snapshot,
            str(release.model_version),
            Text(published.reason),
        )
    return table


def _some(uris: tuple[str, ...]) -> str:
    shown = ", ".join(printable(uri) for uri in uris[:_SHOWN])
    return f"{shown}, … {len(uris) - _SHOWN} more" if len(uris) > _SHOWN else shown
