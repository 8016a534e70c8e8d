"""Artifacts in Prefect: one keyed timeline for each kind of run of a knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.maintain import Maintained
from flows.records import MonitorOutcome, RefreshOutcome
from flows.release import Published
from flows.serving import run_cards
from flows.tracking import cards


def artifact_key(kind: str, kb: str) -> str:
    """Return the name of a timeline of artifacts; Prefect knows no underscores in it.

    >>> artifact_key("check", "my_docs")
    'check-my-docs'
    """
    return f"{kind}-{kb}".replace("_", "-")


def leave_check(kb: str, outcome: MonitorOutcome) -> None:
    """Leave what a check decided, and its signals as a table."""
    check = outcome.check
    title = cards.check_title(check)
    leave("check", kb, cards.check_table(check), title)
    if check.report.signals:
        _leave_table("signals", kb, run_cards.signal_rows(check.report.signals), title)


def leave_refresh(kb: str, outcome: RefreshOutcome) -> None:
    """Leave what a refresh published."""
    leave("refresh", kb, cards.refresh_card(outcome), outcome.published.reason)


def leave_upkeep(kb: str, outcome: Maintained) -> None:
    """Leave what upkeep removed, as a table."""
    rows = run_cards.upkeep_rows(outcome)
    _leave_table("maintain", kb, rows, run_cards.upkeep_title(outcome))


def leave_publication(kind: str, kb: str, published: Published) -> None:
    """Leave a promotion or a rollback."""
    leave(kind, kb, run_cards.publication_card(published), published.reason)


def leave(kind: str, kb: str, markdown: str, title: str) -> None:
    """Leave Markdown, in which whatever came from a document is escaped, under a plain title."""
    create_markdown_artifact(markdown, key=artifact_key(kind, kb), description=title)


def _leave_table(kind: str, kb: str, rows: Sequence[dict[str, Any]], title: str) -> None:
    create_table_artifact(list(rows), key=artifact_key(kind, kb), description=title)
