"""A training as scripts read it and as people read it: its plan, and what it came to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.records import RetrainOutcome, TrainingPlan

_MINUTE = 60


def plan_object(kb: str, plan: TrainingPlan) -> dict[str, Any]:
    """Return what a retraining would do and cost."""
    return {"kb": kb, **asdict(plan)}


def plan_view(plan: TrainingPlan) -> RenderableType:
    """Show what a retraining would do and cost."""
    table = Table("train on", "rows", "tokens")
    for part in plan.parts:
        table.add_row(part.kind, f"{part.rows:,}", f"{part.tokens:,}")
    compared = f"{plan.current} against {plan.reference}, of {plan.documents:,} documents"
    lines = [
        f"{compared}; {plan.held_out:,} rows held out to weigh on.",
        f"It starts from the {plan.start} and challenges version {plan.champion_version}.",
        cost_line(plan),
    ]
    if plan.judged is not None:
        lines.append(
            f"This very training was judged before: version {plan.judged}. `--force` trains again."
        )
    return Group(table, *map(Text, lines))


def cost_line(plan: TrainingPlan) -> str:
    """Say what a training costs: tokens, steps, time, and money where a price is known."""
    money = "" if plan.money is None else f", {plan.money:,.2f} {plan.currency}"
    return (
        f"About {plan.tokens:,} tokens in {plan.steps:,} steps: {_duration(plan.train_seconds)} to "
        f"train, {_duration(plan.weigh_seconds)} to weigh{money}."
    )


def _duration(seconds: float) -> str:
    """Return a length of time as a person says it.

    >>> _duration(42.4), _duration(600)
    ('42 s', '10 min')
    """
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"


def retrain_object(outcome: RetrainOutcome) -> dict[str, Any]:
    """Return what a retraining came to."""
    return {
        "version": outcome.version,
        "verdict": asdict(outcome.verdict),
        "release": outcome.published.release.id if outcome.published else None,
        "trained": outcome.is_new,
        "waiting": outcome.waiting or None,
    }


def retrain_view(kb: str, outcome: RetrainOutcome) -> RenderableType:
    """Show what a retraining came to."""
    state = "promoted" if outcome.published else "not promoted"
    if outcome.waiting:
        state = "is better and waits for approval"
    news = "" if outcome.is_new else " (judged before)"
    told = [f"Version {outcome.version} {state}{news}: {outcome.verdict.reason}"]
    if outcome.waiting:
        told.append(
            f"Look at it with `driftline promote {kb}`, then approve it with "
            f"`driftline promote {kb} --evidence {outcome.waiting[:12]}`."
        )
    return Group(*map(Text, told))
