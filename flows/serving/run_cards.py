"""What runs other than checks leave in Prefect: Markdown and rows of tables. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from flows.examining.verification import Verification
from flows.maintain import Maintained
from flows.release import Published
from flows.showing.results import hub_lines
from flows.tracking.cards import escape
from monitors.records import Signal
from monitors.wording import printable

Row = dict[str, str]
_MOST = 50  # rows of a table that a page still shows well


def signal_rows(signals: Sequence[Signal]) -> list[Row]:
    """Return one row for each signal of a check."""
    return [
        {
            "signal": signal.name,
            "score": "not measured" if signal.score is None else f"{signal.score:.3f}",
            "threshold": f"{signal.threshold:.3g}",
            "drifted": "yes" if signal.drifted else "no",
            "reason": printable(signal.reason),
        }
        for signal in signals
    ]


def upkeep_title(outcome: Maintained) -> str:
    """Return what upkeep did, in a sentence."""
    done = outcome.tidied
    freed = max(0, done.bytes_before - done.bytes_after)
    return (
        f"{done.versions_removed:,} versions removed, {done.versions_left:,} left, "
        f"{freed / 1e6:,.1f} MB freed"
    )


def upkeep_rows(outcome: Maintained) -> list[Row]:
    """Return what upkeep left, and the documents that crowd out what should be found."""
    done, release = outcome.tidied, outcome.published.release
    rows = {
        "release": f"{release.id}, snapshot {release.snapshot}",
        "versions removed": f"{done.versions_removed:,}",
        "versions left": f"{done.versions_left:,}",
        "on disk before": f"{done.bytes_before / 1e6:,.1f} MB",
        "on disk now": f"{done.bytes_after / 1e6:,.1f} MB",
    }
    hubs = [{"what": "near to everything", "value": printable(line)}
            for line in hub_lines(outcome.hubs)]  # fmt: skip
    return [{"what": name, "value": value} for name, value in rows.items()] + hubs


def publication_card(published: Published) -> str:
    """Return what answers after a promotion or a rollback."""
    release = published.release
    return (
        f"**{published.kind}**: {escape(published.reason)}\n\n"
        "| what answers | |\n|---|---|\n"
        f"| release | `{release.id}` |\n"
        f"| snapshot | `{release.snapshot}` |\n"
        f"| model | `{release.model_name}`, version {release.model_version} |\n"
        f"| trained on | `{release.trained_on}` |"
    )


def verification_title(found: Verification) -> str:
    """Return what was found, in a sentence: the first damage and its cure, or that all is well."""
    looked = ", ".join(f"{count:,} {kind}" for kind, count in found.checked.items())
    if not found.findings:
        return f"nothing is damaged; looked at {looked or 'nothing'}"
    first = found.findings[0]
    more = f" and {len(found.findings) - 1:,} more" if len(found.findings) > 1 else ""
    return printable(f"{first.code}: {first.what} ({first.place}){more}. {first.cure}")


def verification_card(found: Verification) -> str:
    """Return every damaged thing with what still answers and what to do."""
    lines = [
        f"| {each.code} | {escape(each.place)} | {escape(each.what)} | {escape(each.answers)} "
        f"| {escape(each.cure)} |"
        for each in found.findings[:_MOST]
    ]
    head = "| code | where | what | what answers | what to do |\n|---|---|---|---|---|"
    table = ["\n".join([head, *lines])] if lines else []
    remarks = [f"- {escape(remark)}" for remark in found.remarks]
    parts = [f"**{escape(verification_title(found))}**", *table, "\n".join(remarks)]
    return "\n\n".join(filter(None, parts))
