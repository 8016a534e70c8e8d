"""The Markdown that people read in MLflow and Prefect about checks and refreshes. Pure text.

Every name that came from a document is escaped here, because Markdown can carry HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from flows.records import Check, RefreshOutcome
from flows.release import Published
from monitors.decision.reasons import figure
from monitors.records import Decision, DriftReport, Signal, Triage
from monitors.wording import percent, printable

_LINKED = re.compile(r"(\b(?:https?|ftp|mailto)(?=:)|\bwww(?=\.))(.)", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
_SHOWN = 10
_EDITS = 5
_FACT = 24
_LONGEST = 120


def escape(text: str) -> str:
    r"""Return text that Markdown and HTML show as it stands.

    >>> escape("<b>a_b</b>")
    '&lt;b&gt;a\\_b&lt;/b&gt;'
    """
    plain = _SPECIAL.sub(r"\\\1", html.escape(printable(text), quote=False))
    # Many renderers make a link of a bare address, and none of one that is spelt so.
    return _LINKED.sub(lambda found: f"{found[1]}&#{ord(found[2])};", plain)


def check_title(check: Check) -> str:
    """Return a run's name: what was decided and what moved, for a list of runs."""
    carriers = [document for document in check.report.documents if document.share > 0]
    if not carriers:
        return f"{check.decision.action.value}: nothing moved"
    first = printable(carriers[0].uri.rpartition("/")[2])
    others = f" and {len(carriers) - 1} more" if len(carriers) > 1 else ""
    return f"{check.decision.action.value}: {first}{others} moved"


def check_card(check: Check) -> str:
    """Return the description of a check: decision, signals, documents, release."""
    report, release = check.report, check.refresh.published.release
    parts = [
        f"## {check.decision.action.value}\n{escape(check.decision.reason)}",
        _compared(report, release.model_version),
        *_weighed(report, check.decision),
        _signals(report),
        _documents(report),
        *_edits(report),
        *_housekeeping(report),
        _refresh(check.refresh),
    ]
    return "\n\n".join(filter(None, parts))


def check_table(check: Check) -> str:
    """Return the decision in a sentence, and beneath it one short table.

    Prefect breaks no line inside a table: what may be long stands above it.
    """
    report, decision = check.report, check.decision
    # The first sentence says why; what the others say has rows of its own.
    why = escape(decision.reason.partition(". ")[0])
    done, release = check.refresh.refreshed, check.refresh.published.release
    rows = {
        "staleness": _staleness(report),
        "signals": _counted(report.signals),
        "facts that changed": _facts(report),
        "index or weights": _cured(report.triage),
        "retraining would cost": escape(_cost(decision)),
        "release": f"`{release.id}`, snapshot `{release.snapshot}`",
        "documents": f"{done.documents:,}, in {done.chunks:,} chunks; {done.embedded:,} embedded",
    }
    lines = [f"| {name} | {said} |" for name, said in rows.items() if said]
    table = "\n".join(["| check | |", "|---|---|", *lines])
    return f"**{decision.action.value}**: {why}\n\n{table}"


def _counted(signals: Sequence[Signal]) -> str:
    """Say how many of the signals have drifted, and how many could not be measured."""
    if not signals:
        return ""
    drifted = sum(signal.drifted for signal in signals)
    unmeasured = sum(signal.score is None for signal in signals)
    tail = f", {unmeasured} not measured" if unmeasured else ""
    return f"{drifted} of {len(signals)} over their thresholds{tail}"


def _facts(report: DriftReport) -> str:
    if not report.edits:
        return ""
    first, found = report.edits[0], max(report.edits_found, len(report.edits))
    pair = (escape(_short(text, most=_FACT)) for text in (first.was, first.now))
    return f"{found:,}, e.g. {' → '.join(pair)}"


def _cured(triage: Triage | None) -> str:
    if triage is None or not triage.stale_probes:
        return ""
    return f"the refreshed index answers {figure(triage.cured, 1)} of the stale questions"


def _compared(report: DriftReport, champion: int) -> str:
    compared = (
        f"Reference `{report.reference}` (what the champion, version {champion}, was trained on), "
        f"current `{report.current}`."
    )
    if not report.signals:
        return compared
    return (
        f"{compared}\nEstimated staleness **{_staleness(report)}**: the share of questions that "
        "the current text answers and the reference does not."
    )


def _staleness(report: DriftReport) -> str:
    """Return the staleness with its interval; "" where nothing was measured."""
    if not report.signals:
        return ""
    low, high = figure(report.staleness_low, 1), figure(report.staleness_high, 1)
    return f"{figure(report.staleness, 1)} [{low}, {high}]"


def refresh_card(outcome: RefreshOutcome) -> str:
    """Return the description of a refresh that published a release."""
    return "\n\n".join([f"## {escape(outcome.published.reason)}", _refresh(outcome)])


def late_release_card(published: Published) -> str:
    """Return the description of a release whose run is written by a later one."""
    release = published.release
    return (
        f"## {escape(published.reason)}\n\nRelease `{release.id}`, snapshot `{release.snapshot}`. "
        "The process that published it died before it wrote this run; a later one did."
    )


def _signals(report: DriftReport) -> str:
    if not report.signals:
        return "Nothing was measured."
    lines = [
        f"| {escape(signal.name)} | {_score(signal)} | {signal.threshold:.3g} | "
        f"{'yes' if signal.drifted else 'no'} | {escape(signal.reason)} |"
        for signal in report.signals
    ]
    header = "| signal | score | threshold | drifted | reason |\n|---|---|---|---|---|"
    return "\n".join([header, *lines])


def _score(signal: Signal) -> str:
    return "not measured" if signal.score is None else f"{signal.score:.3f}"


def _weighed(report: DriftReport, decision: Decision) -> list[str]:
    """Say which memory has to move, and at what cost, where it is known."""
    said = [escape(report.triage.reason)] if report.triage else []
    if decision.cost:
        said.append(f"Retraining would cost {escape(_cost(decision))}.")
    if decision.needs_approval:
        said.append("**Waits for a person's approval.**")
    return said


def _cost(decision: Decision) -> str:
    cost = decision.cost
    if cost is None:
        return ""
    seconds = "not known" if cost.seconds is None else f"{cost.seconds:,.0f} s"
    money = "" if cost.money is None else f", {cost.money:,.2f} {cost.currency}"
    return f"{seconds}{money} ({cost.basis})"


def _edits(report: DriftReport) -> list[str]:
    if not report.edits:
        return []
    lines = [
        f"| {escape(_short(edit.uri))} | {edit.kind.value} | {escape(_short(edit.was))} | "
        f"{escape(_short(edit.now))} |"
        for edit in report.edits[:_EDITS]
    ]
    found = max(report.edits_found, len(report.edits))
    tail = [f"\n{found:,} facts changed in all; see `edits.json`."] if found > _EDITS else []
    return ["\n".join(["| document | fact | was | is |\n|---|---|---|---|", *lines, *tail])]


def _housekeeping(report: DriftReport) -> list[str]:
    lines = [f"- {each.kind.value}: {escape(each.reason)}" for each in report.housekeeping]
    return ["Left out of every signal:\n\n" + "\n".join(lines)] if lines else []


def _short(text: str, *, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _documents(report: DriftReport) -> str:
    if not report.documents:
        return "No document changed." if report.signals else ""
    lines = [
        f"| {escape(_short(document.uri))} | {document.kind.value} | {percent(document.share)} |"
        for document in report.documents[:_SHOWN]
    ]
    more = len(report.documents) - _SHOWN
    tail = [f"\n…and {more} more, in `documents.json`."] if more > 0 else []
    return "\n".join(["| document | change | share |\n|---|---|---|", *lines, *tail])


def _refresh(outcome: RefreshOutcome) -> str:
    done, release = outcome.refreshed, outcome.published.release
    return (
        f"Release `{release.id}`, snapshot `{release.snapshot}`: {done.documents:,} documents, "
        f"{done.chunks:,} chunks; {done.embedded:,} embedded, {done.reused:,} reused, "
        f"{done.seconds:.1f} s."
    )
