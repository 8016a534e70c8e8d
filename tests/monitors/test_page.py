"""The page of a check: escaped to the last word, offline, and saying what was measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import html

from monitors.charts import Levels, TrendPoint
from monitors.page import duration, marked, render
from monitors.records import Action, Cost, Decision, FactKind, FactualEdit, Signal
from tests.monitors.reports import HOSTILE, report_saying

LEVELS = Levels(watch=0.03, retrain=0.09)


def page_saying(text: str) -> str:
    decision = Decision(Action.RETRAIN, text, Cost(1.0, 2.0, text, text))
    return render(report_saying(text), decision, levels=LEVELS, title=text, data=f"<p>{text}</p>")


def structure(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return every element with its attributes' names."""
    return [(node.tag, tuple(node.keys())) for node in html.fromstring(page).iter()]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_becomes_an_element_or_an_attribute(text: str):
    plain = structure(page_saying("plain"))

    hostile = structure(page_saying(text))

    # A word cut in pieces by the diff may be told in one span or two; nothing else may differ.
    spans = {("del", ()), ("ins", ())}
    assert [each for each in hostile if each not in spans] == [
        each for each in plain if each not in spans
    ]


@pytest.mark.parametrize("letter", ["\u202e", "\x00"], ids=["bidi", "nul"])
def test_control_characters_are_written_out(letter: str):
    decision = Decision(Action.NONE, "calm")

    page = render(report_saying(f"a{letter}b"), decision, levels=LEVELS, title="t")

    assert letter not in page


def test_no_script_runs_but_the_data_part_s_own():
    data = "<script>1</script>"
    decision = Decision(Action.NONE, "calm")

    page = render(report_saying("x"), decision, levels=LEVELS, title="t", data=data)

    policy = html.fromstring(page).xpath("//meta[@http-equiv]/@content")[0]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='" in policy
    assert html.fromstring(page).xpath("//iframe/@sandbox") == ["allow-scripts"]
    assert html.fromstring(page).xpath("//iframe/@srcdoc") == [data]


def test_the_changed_word_alone_is_marked():
    edit = FactualEdit("a", FactKind.NUMBER, "14", "30", "It is 14 days.", "It is 30 days.")

    both = marked(edit)

    assert [span.text for span in both.was if span.changed] == ["14"]
    assert [span.text for span in both.now if span.changed] == ["30"]
    assert "".join(span.text for span in both.now) == "It is 30 days."


def test_a_report_with_nothing_in_it_is_a_page():
    bare = replace(
        report_saying("x"), signals=(), documents=(), parts=(), words_came=(), words_went=(),
        edits=(), housekeeping=(), topic=None, triage=None,
    )  # fmt: skip

    page = render(bare, Decision(Action.BLOCKED, "no reference"), levels=LEVELS, title="t")

    assert "Blocked" in html.fromstring(page).text_content()


def test_a_reason_is_told_in_sentences():
    page = render(
        report_saying("x"),
        Decision(Action.WATCH, "it moved, e.g. '5' in a.md. 7 facts changed. Not measured: b"),
        levels=LEVELS,
        title="t",
    )

    decision = html.fromstring(page).xpath("//section[contains(@class, 'decision')]")[0]
    assert decision.xpath("p/text()") == ["It moved, e.g. '5' in a.md."]
    assert decision.xpath("ul/li/text()") == ["7 facts changed.", "Not measured: b."]


def test_levels_are_written_with_the_digits_that_the_reason_has():
    page = render(
        report_saying("x"), Decision(Action.NONE, ""), levels=Levels(0.011, 0.055), title="t"
    )

    assert "watch from 1.1 %" in page
    assert "retrain from 5.5 %" in page


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        (Signal("novelty", 0.1234, 0.05, drifted=True, reason="r"), "novelty 0.123 0.05 drifted r"),
        (
            Signal("novelty", None, 0.05, drifted=False, reason="r"),
            "novelty \N{EN DASH} \N{EN DASH} not measured r",
        ),
        (
            Signal("new_topics", 0.97, 0.9815, drifted=False, reason="r", p_value=0.03),
            "new topics p = 0.03 p ≤ 0.018 calm r",
        ),
    ],
    ids=["a-share", "not-measured", "a-test"],
)
def test_a_signal_is_told_with_what_it_is_held_against(signal: Signal, told: str):
    page = render(
        replace(report_saying("x"), signals=(signal,)),
        Decision(Action.NONE, "calm"),
        levels=LEVELS,
        title="t",
    )

    (row,) = html.fromstring(page).xpath("//table[@class='signals']/tbody/tr")
    assert " ".join(" ".join(row.itertext()).split()) == told


@pytest.mark.parametrize(("edits", "more"), [(12, []), (13, ["1 more"])], ids=["all", "one-more"])
def test_the_first_facts_are_shown_and_the_rest_can_be_opened(edits: int, more: list[str]):
    report = report_saying("x")
    many = replace(report, edits=report.edits * edits, edits_found=edits)

    page = render(many, Decision(Action.NONE, "calm"), levels=LEVELS, title="t")

    assert html.fromstring(page).xpath("//details/summary/text()") == more
    assert len(html.fromstring(page).xpath("//table[@class='facts']/tbody/tr")) == edits


def test_one_check_alone_has_no_chart():
    start = datetime(2026, 5, 4, tzinfo=UTC)
    points = [TrendPoint(start + timedelta(days=day), 0.1, Action.NONE) for day in range(2)]
    decision = Decision(Action.NONE, "calm")

    alone, two = (
        render(report_saying("x"), decision, levels=LEVELS, trend=points[:count], title="t")
        for count in (1, 2)
    )

    assert "Over the last" not in alone
    assert "Over the last 2 checks" in two


@pytest.mark.parametrize(
    ("seconds", "told"), [(89, "89 s"), (90, "2 min"), (5_399, "90 min"), (5_400, "1.5 h")]
)
def test_a_cost_is_told_in_the_unit_that_people_use(seconds: float, told: str):
    assert duration(seconds) == told
