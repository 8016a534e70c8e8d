"""The cost of a retraining, read from the journal and the settings."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.checking.cost import retraining_cost
from flows.journal.journal import Journal, open_journal
from flows.settings.knowledge_base import Kb
from monitors.records import Cost

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def knowledge_base(**tables: dict[str, Any]) -> Kb:
    return Kb.model_validate({"source": {"path": "docs"}, **tables})


def verdict(journal: Journal, kb: str = "docs", *, seconds: float, **rest: Any) -> None:
    payload = {"promote": False, "seconds": seconds, "evaluation": {"seconds": 20.0}, **rest}
    journal.append(kb, "verdict", payload, time=NOW)


def test_without_a_past_nothing_is_known(journal: Journal):
    verdict(journal, "help", seconds=120.0, tokens=10_000)

    cost = retraining_cost(journal, "docs", knowledge_base(cost={"per_hour": 3.0}))

    assert cost == Cost(None, None, "EUR", "no retraining was run here yet")


def test_the_budget_is_what_is_planned_and_the_price_is_the_settings_own(journal: Journal):
    verdict(journal, seconds=120.0, tokens=10_000)
    kb = knowledge_base(
        training={"budget_tokens": 30_000}, cost={"per_hour": 36.0, "currency": "CHF"}
    )

    cost = retraining_cost(journal, "docs", kb)

    # 100 s of training for 10,000 tokens is 300 s for 30,000; weighing stays 20 s.
    assert cost.seconds == pytest.approx(320.0)
    assert cost.money == pytest.approx(3.2)
    assert cost.currency == "CHF"


def test_without_a_price_there_is_no_money(journal: Journal):
    verdict(journal, seconds=120.0, tokens=10_000)

    assert retraining_cost(journal, "docs", knowledge_base()).money is None


def test_verdicts_of_earlier_versions_still_count(journal: Journal):
    verdict(journal, seconds=120.0)
    verdict(journal, seconds=240.0, evaluation={})

    cost = retraining_cost(journal, "docs", knowledge_base())

    # Training 100 s and 240 s, weighing 20 s and none: the medians are 170 s and 10 s.
    assert cost.seconds == pytest.approx(180.0)
