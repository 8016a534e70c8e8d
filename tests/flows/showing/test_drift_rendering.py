"""A comparison keeps its keys for scripts, and nothing in it disturbs a terminal."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from flows.showing.drift import drift_object, drift_view
from monitors.drift import unmeasured
from monitors.records import Action, Cost, Decision, DriftReport, Signal
from tests.monitors.reports import HOSTILE, report_saying

DECISION = Decision(Action.WATCH, "two files moved", Cost(60.0, 0.5, "EUR", "by two past runs"))


def shown(report: DriftReport, decision: Decision = DECISION) -> str:
    written = io.StringIO()
    Console(file=written, width=200, force_terminal=False).print(drift_view(report, decision))
    return written.getvalue()


def test_the_keys_that_scripts_rely_on_are_there():
    found = json.loads(json.dumps(drift_object(report_saying("x"), DECISION)))

    assert {"reference", "current", "staleness", "staleness_low", "staleness_high"} <= set(found)
    assert {"edits_found", "topic", "triage"} <= set(found)
    assert set(found["signals"][0]) == {
        "name", "score", "threshold", "p_value", "drifted", "reason", "low", "high",
    }  # fmt: skip
    assert set(found["documents"][0]) == {"uri", "share", "kind"}
    assert set(found["parts"][0]) == {"part", "name", "share", "documents"}
    assert set(found["words"]) == {"came", "went"}
    assert set(found["words"]["came"][0]) == {"word", "before", "now"}
    assert set(found["edits"][0]) == {
        "uri", "kind", "was", "now", "sentence_was", "sentence_now",
    }  # fmt: skip
    assert set(found["housekeeping"][0]) == {"kind", "uris", "reason"}
    assert set(found["topic"]) == {"p_value", "level", "documents", "words", "reason"}
    assert set(found["triage"]) == {"stale_probes", "cured", "reason"}
    assert set(found["decision"]) == {"action", "reason", "needs_approval", "cost"}
    assert found["decision"]["cost"]["basis"] == "by two past runs"


@pytest.mark.parametrize("action", Action)
def test_an_action_is_one_of_four_words(action: Action):
    found = drift_object(report_saying("x"), Decision(action, "because"))

    assert json.loads(json.dumps(found["decision"])) == {
        "action": action.value, "reason": "because", "needs_approval": False, "cost": None,
    }  # fmt: skip
    assert action.value in {"none", "watch", "retrain", "blocked"}


def test_what_was_not_measured_has_no_staleness():
    report = unmeasured("docs@1", "docs@2")

    found = drift_object(report, Decision(Action.BLOCKED, "docs@1 is gone"))

    assert (found["staleness"], found["staleness_low"], found["staleness_high"]) == (None,) * 3
    assert found["signals"] == found["documents"] == []
    assert "staleness" not in shown(report)
    assert drift_object(report_saying("x"), DECISION)["staleness"] == 0.1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_a_document_says_disturbs_a_terminal(text: str):
    written = shown(report_saying(text))

    assert all(letter.isprintable() or letter == "\n" for letter in written)


def test_brackets_are_shown_as_they_stand():
    assert "[bold]a[/bold] [/nothing]" in shown(report_saying("[bold]a[/bold] [/nothing]"))


def test_a_scripts_object_holds_the_text_as_it_is():
    (document,) = drift_object(report_saying("a\u202eb"), DECISION)["documents"]

    assert document["uri"] == "a\u202eb"


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        (Signal("novelty", 0.1234, 0.05, drifted=True, reason=""), ("0.123", "0.05", "yes")),
        (Signal("novelty", None, 0.05, drifted=False, reason=""), ("not measured", "no")),
        (
            Signal("new_topics", 0.97, 0.9815, drifted=False, reason="", p_value=0.03),
            ("p = 0.03", "p ≤ 0.018", "no"),
        ),
    ],
    ids=["a-share", "not-measured", "a-test"],
)
def test_a_signal_says_its_score_beside_what_it_is_held_against(
    signal: Signal, told: tuple[str, ...]
):
    written = shown(replace(report_saying("x"), signals=(signal,)))

    (line,) = [line for line in written.splitlines() if signal.name in line]
    assert all(word in line for word in told)


def test_people_are_told_what_was_left_out_and_what_the_index_has_cured():
    written = shown(replace(report_saying("only moved"), reference="docs@1", current="docs@2"))

    assert "Housekeeping, moved: only moved" in written
    assert "Index or weights: only moved" in written
