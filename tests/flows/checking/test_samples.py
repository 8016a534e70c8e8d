"""What truly is a sample is tested within its schedule: incoming documents, and questions."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.checking import samples
from flows.checking.schedules import Schedule, keep_null, keep_schedule
from flows.desk import open_desk
from flows.journal import lease
from flows.journal.journal import Journal, open_journal
from flows.monitor import monitor
from flows.settings.settings import load_settings
from flows.steps import quietly
from monitors.pair import Pair
from monitors.records import Action
from monitors.sampling.schedule import LEVEL, OwnNull, Spent
from tests.flows.conftest import Place
from tests.monitors.builders import pair, prose

KNOWN = {f"docs/{at:03}.md": [prose(at)] for at in range(40)}
FOREIGN = {f"new/{name}.md": [f"zebras graze {name} until morning"] for name in ("grass", "thorn")}
NOW = datetime(2026, 5, 4, tzinfo=UTC)
NULL = OwnNull(level=0.05, draws=200, alarms=8, share=0.04, low=0.02, high=0.077)

SEA = {
    "tides.md": "# Tides\n\nThe sea rises twice a day, in a slow rhythm that the moon sets.\n",
    "knots.md": "# Knots\n\nA bowline holds the rope to a ring; a reef knot joins two ropes.\n",
    "anchors.md": "# Anchors\n\nAn anchor digs into sand when its chain lies along the ground.\n",
}
BILLING = ("How do I pay an invoice?", "When is the invoice due?", "What does the plan cost?")
SAILING = ("How do I reef the sail?", "When does the tide turn?", "Which knot holds the anchor?")
SETTINGS = """
[kb.docs.source]
path = "docs"
[kb.docs.questions]
file = "questions.jsonl"
[kb.docs.surprise]
passages = 0
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def changed(new: Mapping[str, list[str]], known: Mapping[str, list[str]] = KNOWN) -> Pair:
    return pair(dict(known), {**known, **new})


def taken(journal: Journal, of: Pair, *, play: bool = False) -> samples.Tests:
    """Return the tests of a knowledge base that names no file of questions."""
    desk: Any = SimpleNamespace(journal=journal, name="docs", kb=SimpleNamespace(questions=None))
    return samples.take_tests(desk, of, "docs@1", play=play)


def keep(journal: Journal, *schedules: Schedule, null: OwnNull | None = None) -> None:
    with lease.hold(journal, "docs") as fence:
        for schedule in schedules:
            keep_schedule(journal, "docs", schedule, time=NOW, fence=fence)
        if null is not None:
            keep_null(journal, "docs", "docs@1", null, time=NOW, fence=fence)


def test_where_no_document_is_new_nothing_is_tested_and_nothing_played(journal: Journal):
    edited = pair(KNOWN, {**KNOWN, "docs/000.md": ["zebras graze here"]})

    assert taken(journal, edited, play=True) == samples.Tests(None, (), (), None)


def test_new_documents_are_tested_and_spend_one_look(journal: Journal):
    found = taken(journal, changed(FOREIGN))

    assert found.topic is not None
    assert found.topic.p_value is not None
    assert found.topic.p_value <= found.topic.level
    (schedule,) = found.schedules
    assert (schedule.key, schedule.spent.looks) == ("topics:docs@1", 1)
    assert schedule.spent.spent == pytest.approx(found.topic.level)


def test_the_same_documents_have_the_same_answer_and_spend_nothing(journal: Journal):
    first = taken(journal, changed(FOREIGN))
    keep(journal, *first.schedules)

    again = taken(journal, changed(FOREIGN))

    assert again.topic == first.topic
    assert again.schedules == first.schedules


def test_the_false_alarm_rate_is_played_once_for_a_reference(journal: Journal):
    first = taken(journal, changed(FOREIGN), play=True)
    assert first.null is not None
    keep(journal, null=first.null)

    second = taken(journal, changed(FOREIGN), play=True)

    assert second.null is None
    for found in (first, second):
        assert found.topic is not None
        assert f"on {first.null.draws} draws of this knowledge base's own" in found.topic.reason


def test_a_quick_measurement_plays_nothing_and_says_what_is_known(journal: Journal):
    before = taken(journal, changed(FOREIGN))
    keep(journal, null=NULL)
    after = taken(journal, changed(FOREIGN))

    assert before.null is after.null is None
    assert before.topic is not None
    assert after.topic is not None
    assert "Stated false-alarm rate" not in before.topic.reason
    assert "Stated false-alarm rate 5 %; on 200 draws" in after.topic.reason


def test_with_all_spent_the_test_is_held_back_and_that_is_said(journal: Journal):
    keep(journal, Schedule("topics:docs@1", Spent(spent=LEVEL, tested=("a",)), {"a": (1, LEVEL)}))

    found = taken(journal, changed(FOREIGN))

    assert found.topic is not None
    assert found.topic.p_value is None
    assert found.topic.reason.startswith("not tested: the level of 0.05 is spent")
    assert found.schedules == ()


def test_a_reference_too_small_for_a_test_spends_nothing(journal: Journal):
    found = taken(journal, changed(FOREIGN, dict(list(KNOWN.items())[:2])), play=True)

    assert found.topic is not None
    assert "not tested: not enough data" in found.topic.reason
    assert found.schedules == ()
    assert found.null is None


def write_questions(place: Place, day: datetime) -> None:
    """Write three weeks of questions about bills, and then three in which the sea is new."""
    asked = [(range(-21, 0), BILLING), (range(1, 22), (*BILLING, *SAILING))]
    lines = [
        json.dumps({"question": text, "time": (day + timedelta(days=shift)).isoformat()})
        for days, texts in asked
        for shift in days
        for text in texts
    ]
    (place.folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("warm")
def test_a_scheduled_check_tests_questions_and_foreign_documents_within_their_levels(place: Place):
    today = datetime.now(UTC)
    place.configure(SETTINGS)
    write_questions(place, today)
    for name, text in SEA.items():
        (place.docs / name).write_text(text, encoding="utf-8")
    settings = load_settings(place.folder / "driftline.toml")

    with open_desk(settings, "docs", now=today + timedelta(days=28)) as desk:
        first, second = (monitor(desk, quietly, ask=lambda _: "run").check for _ in range(2))
        kept = [desk.journal.count("docs", kind) for kind in ("schedule", "own null")]

    topics, questions = first.report.signal("new_topics"), first.report.signal("questions")
    assert topics is not None
    assert questions is not None
    assert topics.p_value is not None
    assert "look 1 of the schedule" in topics.reason
    assert "this knowledge base's own documents" in topics.reason
    assert questions.drifted
    assert "are about other things than before" in questions.reason
    assert (questions.score or 0) >= questions.threshold
    assert first.decision.action is Action.WATCH
    assert "new topics" in first.decision.reason
    assert second.report.signals == first.report.signals
    assert kept == [2, 1]
