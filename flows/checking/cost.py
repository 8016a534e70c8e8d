"""What a retraining would cost here, from the journal's verdicts and the settings' price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.journal.journal import Journal
from flows.settings.knowledge_base import Kb
from monitors.decision.cost import PastRun, estimate
from monitors.records import Cost


def retraining_cost(journal: Journal, name: str, kb: Kb) -> Cost:
    """Return what the next retraining of a knowledge base would cost; it has no past at first.

    It trains until its budget of tokens is spent, so the budget is what is planned; where little
    changed, a training ends before that and costs less.
    """
    past = [_past_run(entry.payload) for entry in journal.entries(name, "verdict")]
    return estimate(
        past,
        planned_tokens=kb.training.budget_tokens,
        price_per_hour=kb.cost.per_hour,
        currency=kb.cost.currency,
    )


def _past_run(verdict: Mapping[str, Any]) -> PastRun:
    """Read a verdict; those of earlier versions do not say how many tokens were trained on."""
    weighing = verdict["evaluation"].get("seconds", 0.0)
    return PastRun(verdict["seconds"] - weighing, weighing, verdict.get("tokens"))
