"""Tests on what truly is a sample, each with the level that its schedule has left for it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flows.checking.questions import measure_questions, read_sample
from flows.checking.schedules import Schedule, read_null, read_schedule
from flows.desk import Desk
from monitors.pair import Pair
from monitors.records import NewTopic, Signal
from monitors.sampling.incoming import incoming_content, measure_topic, play_null
from monitors.sampling.schedule import OwnNull

# What the test may take to play its own false alarms; draws that were not reached are not needed.
_NULL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tests:
    """What the tests said, and their schedules once this counts; `null` if it was played now."""

    topic: NewTopic | None
    signals: tuple[Signal, ...]
    schedules: tuple[Schedule, ...]
    null: OwnNull | None


def take_tests(desk: Desk, pair: Pair, reference: str, *, play: bool) -> Tests:
    """Test the incoming documents, and the questions asked where the settings say where they are.

    With `play` the rate of false alarms is found out, if it was not before.
    """
    known = read_null(desk.journal, desk.name, reference)
    played = _played(pair) if play and known is None else None
    topic, topics = _test_topics(desk, pair, reference, known or played)
    signal, questions = _test_questions(desk, reference)
    return Tests(
        topic,
        signals=() if signal is None else (signal,),
        schedules=tuple(schedule for schedule in (topics, questions) if schedule is not None),
        null=played,
    )


def take_questions(desk: Desk, reference: str) -> Tests:
    """Test the questions alone: the documents are those of the last check."""
    signal, schedule = _test_questions(desk, reference)
    signals = () if signal is None else (signal,)
    return Tests(None, signals, () if schedule is None else (schedule,), None)


def _played(pair: Pair) -> OwnNull | None:
    if incoming_content(pair) is None:
        return None
    end = time.monotonic() + _NULL_SECONDS
    return play_null(pair, out_of_time=lambda: time.monotonic() > end)


def _test_topics(
    desk: Desk, pair: Pair, reference: str, null: OwnNull | None
) -> tuple[NewTopic | None, Schedule | None]:
    content = incoming_content(pair)
    if content is None:
        return None, None
    schedule = read_schedule(desk.journal, desk.name, "topics", reference)
    look = schedule.look(content)
    if look.held_back:
        return NewTopic(None, 0.0, (), (), f"not tested: {look.held_back}"), None
    topic = measure_topic(pair, look, null=null)
    taken = topic is not None and topic.p_value is not None
    return topic, schedule.after(look, content) if taken else None


def _test_questions(desk: Desk, reference: str) -> tuple[Signal | None, Schedule | None]:
    if desk.kb.questions is None:
        return None, None
    found = read_sample(desk, desk.kb.questions)
    schedule = read_schedule(desk.journal, desk.name, "questions", reference)
    look = schedule.look(found.content)
    if look.held_back:
        reason = f"not tested: {look.held_back}"
        return Signal("questions", None, 1.0, drifted=False, reason=reason), None
    signal = measure_questions(desk, found, look)
    taken = signal.p_value is not None
    return signal, schedule.after(look, found.content) if taken else None
