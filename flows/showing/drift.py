"""A comparison and its decision as scripts read them (one object) and as people read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitors.records import Decision, DriftReport, Signal
from monitors.wording import percent, printable

_SHOWN = 12
_SHOWN_EDITS = 8
_SHOWN_WORDS = 10
_LONGEST = 60


def drift_object(report: DriftReport, decision: Decision) -> dict[str, Any]:
    """Return a comparison with its decision; `staleness` is null where nothing was measured."""
    measured = bool(report.signals)
    return {
        "reference": report.reference,
        "current": report.current,
        "staleness": report.staleness if measured else None,
        "staleness_low": report.staleness_low if measured else None,
        "staleness_high": report.staleness_high if measured else None,
        "signals": [asdict(signal) for signal in report.signals],
        "documents": [asdict(document) for document in report.documents],
        "parts": [asdict(part) for part in report.parts],
        "words": {
            "came": [asdict(word) for word in report.words_came],
            "went": [asdict(word) for word in report.words_went],
        },
        "edits": [asdict(edit) for edit in report.edits],
        "edits_found": report.edits_found,
        "housekeeping": [asdict(each) for each in report.housekeeping],
        "topic": asdict(report.topic) if report.topic else None,
        "triage": asdict(report.triage) if report.triage else None,
        "decision": {
            "action": decision.action.value,
            "reason": decision.reason,
            "needs_approval": decision.needs_approval,
            "cost": asdict(decision.cost) if decision.cost else None,
        },
    }


def drift_view(report: DriftReport, decision: Decision) -> RenderableType:
    """Show staleness, signals, what is behind them, facts that changed, and the decision."""
    said = Text(f"{decision.action.value}: {printable(decision.reason)}", style="bold")
    if not report.signals:
        return said
    sides = f"{printable(report.reference)} → {printable(report.current)}"
    low, high = percent(report.staleness_low), percent(report.staleness_high)
    staleness = f"{sides}: staleness {percent(report.staleness)} [{low}, {high}]"
    shown = [_documents(report)] if report.documents else []
    shown += [_edits(report)] if report.edits else []
    asides = [*_words(report), *_housekeeping(report), *_triage(report)]
    return Group(Text(staleness), _signals(report), *shown, *asides, said)


def _signals(report: DriftReport) -> Table:
    table = Table("signal", "score", "threshold", "drifted")
    for signal in report.signals:
        drifted = "yes" if signal.drifted else "no"
        table.add_row(Text(printable(signal.name)), _score(signal), _threshold(signal), drifted)
    return table


def _score(signal: Signal) -> str:
    if signal.score is None:
        return "not measured"
    if signal.p_value is not None:
        return f"p = {signal.p_value:.2g}"
    return f"{signal.score:.3f}"


def _threshold(signal: Signal) -> str:
    """Return what the score is held against; the score of a test is one minus its p-value."""
    if signal.p_value is not None:
        return f"p ≤ {1 - signal.threshold:.2g}"
    return f"{signal.threshold:.3g}"


def _documents(report: DriftReport) -> Table:
    table = Table("document", "change", "share of the unseen text")
    for document in report.documents[:_SHOWN]:
        uri = Text(printable(document.uri))
        table.add_row(uri, document.kind.value, percent(document.share))
    return table


def _edits(report: DriftReport) -> Table:
    title = f"{report.edits_found:,} facts changed in otherwise equal sentences"
    table = Table("was", "is", "in", title=title, title_justify="left")
    for edit in report.edits[:_SHOWN_EDITS]:
        table.add_row(*(Text(_short(text)) for text in (edit.was, edit.now, edit.uri)))
    return table


def _words(report: DriftReport) -> list[Text]:
    return [
        Text(f"Words that {moved}: " + ", ".join(printable(each.word) for each in found))
        for moved, found in (
            ("came", report.words_came[:_SHOWN_WORDS]),
            ("went", report.words_went[:_SHOWN_WORDS]),
        )
        if found
    ]


def _housekeeping(report: DriftReport) -> list[Text]:
    return [
        Text(f"Housekeeping, {each.kind.value}: {printable(each.reason)}")
        for each in report.housekeeping
    ]


def _triage(report: DriftReport) -> list[Text]:
    return [Text(f"Index or weights: {printable(report.triage.reason)}")] if report.triage else []


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
