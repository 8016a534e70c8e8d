"""The questions asked: read from a file, tested by whole days, and tested once."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.checking.questions import measure_questions, read_sample, sample
from flows.desk import Desk, open_desk
from flows.settings.policy import Questions
from flows.settings.settings import load_settings
from monitors.sampling.schedule import Look, permutations_for
from tests.flows.conftest import Place

KEYS = Questions(file=Path("questions.jsonl"))
LOOK = Look(number=1, level=0.05, permutations=permutations_for(0.05))
BILLING = ("How do I pay an invoice?", "When is the invoice due?", "What does the plan cost?")
SAILING = ("How do I reef the sail?", "When does the tide turn?", "Which knot holds the anchor?")


def line(text: str, time: datetime | str, **more: Any) -> str:
    told = time if isinstance(time, str) else time.isoformat()
    return json.dumps({"question": text, "time": told, **more})


def read(*lines: str, reference: date = date(2026, 5, 10), today: date = date(2026, 5, 20)):
    return sample(lines, KEYS, reference=reference, today=today)


@pytest.mark.parametrize(
    ("time", "before", "since"),
    [
        ("2026-05-09T23:59:59Z", 1, 0),
        ("2026-05-10T00:00:00Z", 0, 1),
        ("2026-05-19T23:59:59+00:00", 0, 1),
        ("2026-05-20T00:00:00Z", 0, 0),
        ("2026-05-10T00:30:00+02:00", 1, 0),
        ("2026-05-10T00:30:00", 0, 1),
    ],
    ids=["before", "first-day", "last-day", "today-is-not-over", "another-zone", "no-zone-is-utc"],
)
def test_a_question_counts_on_its_day(time: str, before: int, since: int):
    found = read(line("Why?", time))

    assert (len(found.before), len(found.since)) == (before, since)


@pytest.mark.parametrize(
    "bad",
    ["{", "[]", '"text"', "null", '{"question": "Why?"}', line("  ", "2026-05-12"), line("a", "b"),
     '{"question": "a", "time": 7}'],
)  # fmt: skip
def test_a_line_that_is_no_question_is_counted_and_the_rest_goes_on(bad: str):
    found = read(bad, line("Why?", "2026-05-12T00:00:00Z"), "")

    assert len(found.since) == 1
    assert found.unread == 1


def test_the_same_questions_have_the_same_content_in_any_order():
    lines = [line("Why?", "2026-05-12"), line("How?", "2026-05-13")]

    assert read(*lines).content == read(*lines[::-1]).content != read(lines[0]).content


def test_a_file_that_is_not_there_has_no_questions(desk: Desk):
    found = read_sample(desk, KEYS)

    assert found.before == found.since == ()


@pytest.fixture
def later(place: Place) -> Any:
    """The desk of the same knowledge base, four weeks on."""
    now = datetime.now(UTC) + timedelta(days=28)
    return open_desk(load_settings(place.folder / "driftline.toml"), "docs", now=now)


def write(place: Place, before: tuple[str, ...], since: tuple[str, ...]) -> None:
    today = datetime.now(UTC)
    lines = [
        line(text, today + timedelta(days=shift))
        for days, texts in ((range(-21, 0), before), (range(1, 22), since))
        for shift in days
        for text in texts
    ]
    (place.folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("warm")
def test_questions_about_something_else_are_found(place: Place, later: Any):
    write(place, BILLING, (*BILLING, *SAILING))

    with later as desk:
        signal = measure_questions(desk, read_sample(desk, KEYS), LOOK)

    assert signal.drifted
    assert signal.p_value is not None
    assert signal.p_value <= 0.05
    assert "about other things than before" in signal.reason


@pytest.mark.usefixtures("warm")
def test_the_same_kind_of_questions_are_not(place: Place, later: Any):
    write(place, BILLING, BILLING)

    with later as desk:
        signal = measure_questions(desk, read_sample(desk, KEYS), LOOK)

    assert not signal.drifted
    assert "about the same as before" in signal.reason


@pytest.mark.usefixtures("warm")
def test_too_few_days_are_said_and_not_called_calm(place: Place, later: Any):
    (place.folder / "questions.jsonl").write_text(line("Why?", datetime.now(UTC)), "utf-8")

    with later as desk:
        signal = measure_questions(desk, read_sample(desk, KEYS), LOOK)

    assert signal.score is None
    assert "not tested: not enough data" in signal.reason
