"""The page of a check: escaped to the last word, offline, and saying what was measured."""

from dataclasses import replace

import pytest
from lxml import html

from monitors.charts import Levels
from monitors.page import marked, render
from monitors.records import (
    Action,
    ChangeKind,
    Cost,
    Decision,
    DocumentDrift,
    DriftReport,
    FactKind,
    FactualEdit,
    Housekeeping,
    HousekeepingKind,
    NewTopic,
    Part,
    PartDrift,
    Signal,
    TopicDocument,
    Triage,
    WordDrift,
)

LEVELS = Levels(watch=0.03, retrain=0.09)
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "quote": "' onload='alert(1)",
    "frame": "</iframe></svg></style><script>alert(1)</script>",
    "link": "javascript:alert(1)",
    "template": "{{ 7 * 7 }}{% include 'x' %}",
    "bidi": "a\u202eb",
    "nul": "a\x00b",
}


def report_saying(text: str) -> DriftReport:
    """Return a report whose every free text is `text`."""
    return DriftReport(
        reference=text,
        current=text,
        staleness=0.1,
        signals=(Signal(text, 0.2, 0.1, drifted=True, reason=text),),
        documents=(DocumentDrift(text, 1.0, ChangeKind.EDITED),),
        reference_chunks=10,
        current_chunks=12,
        parts=tuple(PartDrift(part, text, 1.0, 1) for part in Part),
        words_came=(WordDrift(text, 0, 3),),
        words_went=(WordDrift(text, 3, 0),),
        edits=(FactualEdit(text, FactKind.NUMBER, text, text, f"{text} 1", f"{text} 2"),),
        edits_found=1,
        housekeeping=(Housekeeping(HousekeepingKind.MOVED, (text,), text),),
        topic=NewTopic(0.5, 0.05, (TopicDocument(text, 0.1, unusual=False),), (text,), text),
        triage=Triage(4, 0.5, text),
    )


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
