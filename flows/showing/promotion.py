"""Evidence and the history of promotions: an object for scripts, tables and Markdown for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.promoting.evidence import DIGITS, Evidence, Measured
from flows.promoting.promotions import Attempt, Freeze
from flows.release import Published
from flows.showing.results import instant
from flows.tracking.cards import escape
from flows.tracking.model_cards import MEASURES
from monitors.wording import printable


def approval_command(evidence: Evidence) -> str:
    """Return what a person runs to approve this evidence, and nothing else."""
    return (
        f"driftline promote {evidence.kb} --version {evidence.version} "
        f"--evidence {evidence.digest[:DIGITS]}"
    )


def evidence_object(evidence: Evidence) -> dict[str, Any]:
    """Return what is to be approved, and how."""
    return {
        "code": "APPROVAL_NEEDED",
        **asdict(evidence),
        "evidence": evidence.digest,
        "command": approval_command(evidence),
    }


def evidence_view(evidence: Evidence) -> RenderableType:
    """Show a verdict with its numbers and the command that approves it."""
    table = Table("measure", "champion", "challenger", "change, 95 % interval", "rows")
    for each in evidence.measures:
        table.add_row(*_row(each))
    parts: list[RenderableType] = [Text(printable(line)) for line in _sentences(evidence)]
    if evidence.measures:
        parts.append(table)
    return Group(*parts, Text(f"Promote it with\n  {approval_command(evidence)}"))


def evidence_markdown(evidence: Evidence) -> str:
    """Return the evidence as Prefect's form shows it, with what to type in it."""
    lines = [f"| {' | '.join(map(escape, _row(each)))} |" for each in evidence.measures]
    head = (
        "| measure | champion | challenger | change, 95 % interval | rows |\n|---|---|---|---|---|"
    )
    table = ["\n".join([head, *lines])] if lines else []
    ask = f"To promote it, give as evidence: `{evidence.digest[:DIGITS]}`"
    return "\n\n".join([*map(escape, _sentences(evidence)), *table, ask])


def promoted_object(published: Published) -> dict[str, Any]:
    """Return what a promotion or a rollback published."""
    release = published.release
    return {
        "kb": release.kb,
        "release": release.id,
        "kind": published.kind,
        "snapshot": release.snapshot,
        "model_version": release.model_version,
        "reason": published.reason,
    }


def promoted_view(published: Published, freeze: Freeze | None) -> RenderableType:
    """Say what answers from now on, and whether refreshes go on."""
    release = published.release
    told = (
        f"Release {release.id} answers: version {release.model_version} of the model with "
        f"{release.snapshot}."
    )
    if freeze is not None:
        told += (
            f" {release.kb} is frozen: refreshes publish nothing until "
            f"`driftline resume {release.kb}`."
        )
    return Text(told)


def promotions_object(attempts: tuple[Attempt, ...]) -> list[dict[str, Any]]:
    """Return every attempt to change the champion, newest last."""
    return [{"time": instant(each.time), **each.line.payload} for each in attempts]


def promotions_view(attempts: tuple[Attempt, ...]) -> RenderableType:
    """Show every attempt to change the champion, newest last."""
    table = Table("time", "who", "outcome", "from", "to", "release", "why")
    for each in attempts:
        table.add_row(
            f"{each.time:%Y-%m-%d %H:%M}",
            Text(printable(each.actor)),
            each.outcome.value,
            str(each.before),
            str(each.after),
            each.release[:8],
            Text(printable(each.why)),
        )
    return table


def _sentences(evidence: Evidence) -> list[str]:
    """Return the verdict in words, then whatever happened since that a person must know."""
    verdict = "promote" if evidence.promote else "do not promote"
    first = (
        f"Version {evidence.version} of {evidence.kb}, trained on {evidence.snapshot} (champion: "
        f"version {evidence.champion}). Verdict: {verdict}. {evidence.reason}."
    )
    told = [first]
    if evidence.weighed_against != evidence.champion:
        told.append(
            f"It was weighed against version {evidence.weighed_against}, which is not the champion "
            "any more."
        )
    if evidence.judged_last != evidence.version:
        told.append(f"Version {evidence.judged_last} was judged since.")
    if evidence.withdrawn:
        told.append(f"It was withdrawn {evidence.withdrawn}.")
    return told


def _row(measure: Measured) -> tuple[str, str, str, str, str]:
    known = MEASURES.get(measure.name)
    label = known.label if known else measure.name
    form = "{:+.1%}" if known and known.relative else "{:+.3f}"
    change, low, high = (form.format(v) for v in (measure.change, measure.low, measure.high))
    return (
        label,
        f"{measure.champion:.3f}",
        f"{measure.challenger:.3f}",
        f"{change} [{low}, {high}]".replace("%", " %"),
        f"{measure.rows:,}",
    )
