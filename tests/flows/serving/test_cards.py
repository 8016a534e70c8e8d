"""What people read in MLflow and Prefect is escaped, short, and says what happened."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from prefect.client.schemas.actions import ArtifactCreate

from flows.records import Check
from flows.serving.timeline import artifact_key
from flows.tracking.cards import check_card, check_table, check_title, escape
from monitors.drift import unmeasured
from monitors.records import Action, ChangeKind, Cost, Decision, DocumentDrift, DriftReport
from tests.flows.checks import REFRESHED, RELEASE
from tests.monitors.reports import HOSTILE, report_saying

MOST_LINES = 60


def check(report: DriftReport, decision: Decision | None = None) -> Check:
    return Check(7, REFRESHED, report, decision or Decision(Action.WATCH, "it moved"), None)


def saying(text: str) -> DriftReport:
    """Return a report that says this, between snapshots of ours: no document names those."""
    return replace(report_saying(text), reference="docs@1", current="docs@2")


def large() -> DriftReport:
    """Return a report with far more of everything than a person wants to read."""
    one = report_saying("a.md")
    return replace(
        one,
        signals=one.signals * 12,
        documents=tuple(DocumentDrift(f"{n}.md", 0.01, ChangeKind.EDITED) for n in range(100)),
        parts=one.parts * 100,
        words_came=one.words_came * 100,
        edits=one.edits * 100,
        edits_found=4_321,
        housekeeping=one.housekeeping * 6,
    )


def rendered(markdown: str) -> str:
    html: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](http://example.org/x.png)",
        "[link](javascript:alert(1))",
        "a | b",
        "# heading",
        "`code`",
        "<img src=x onerror=alert(1)>.md",
    ],
)
def test_no_name_becomes_markup(text: str):
    html = rendered(escape(text))

    assert html.startswith("<p>")
    assert html.count("<") == 2  # the paragraph alone


def test_control_and_bidi_characters_are_shown_and_not_obeyed():
    assert "\u202e" not in escape("a\u202eb\nc")


@pytest.mark.parametrize("card", [check_card, check_table])
@pytest.mark.parametrize("text", [*HOSTILE.values(), "a\n\n# b", "a | b"])
def test_no_text_of_a_document_changes_the_shape_of_a_card(card, text: str):
    decision = Decision(Action.RETRAIN, text, Cost(1.0, 2.0, "EUR", text))
    plain = replace(decision, reason="plain", cost=Cost(1.0, 2.0, "EUR", "plain"))

    hostile = rendered(card(check(saying(text), decision)))

    expected = rendered(card(check(saying("plain"), plain)))
    assert hostile.count("<") == expected.count("<")


def test_a_card_stays_short_however_much_moved():
    assert len(check_card(check(large())).splitlines()) <= MOST_LINES


def test_a_table_is_a_sentence_and_a_few_short_rows_however_much_moved():
    sentence, _, table = check_table(check(large())).partition("\n\n")

    assert sentence == "**watch**: it moved"
    assert len(table.splitlines()) <= 10
    assert max(map(len, table.splitlines())) <= 100
    assert rendered(table).count("<table>") == 1
    assert "<p>" not in rendered(table)


def test_a_card_shows_what_was_beside_what_is():
    (edit,) = report_saying("x").edits
    report = replace(report_saying("x"), edits=(replace(edit, was="14 days", now="30 days"),))

    card = check_card(check(report))

    assert "| document | fact | was | is |" in card
    assert "| x | number | 14 days | 30 days |" in card


def test_a_card_says_how_many_more_there_are_and_where():
    card = check_card(check(large()))

    assert "…and 90 more, in `documents.json`." in card
    assert "4,321 facts changed in all; see `edits.json`." in card


def test_a_table_says_the_decision_the_staleness_and_the_release():
    decision = Decision(Action.WATCH, "it moved. More is said elsewhere")

    table = check_table(check(report_saying("x"), decision))

    assert table.startswith("**watch**: it moved\n\n| check | |")
    assert "| staleness | 10 % [0 %, 100 %] |" in table
    assert "| signals | 1 of 1 over their thresholds |" in table
    assert f"| release | `{RELEASE.id}`, snapshot `docs@2` |" in table
    assert "| documents | 1,000, in 12,345 chunks; 20 embedded |" in table


@pytest.mark.parametrize("card", [check_card, check_table])
def test_what_was_not_measured_is_never_called_fresh(card):
    decision = Decision(Action.BLOCKED, "docs@1 is gone")

    said = card(check(unmeasured("docs@1", "docs@2"), decision))

    assert "docs@1 is gone" in said
    assert "0 %" not in said
    assert "No document changed" not in said


def test_a_title_names_what_moved_most():
    assert check_title(check(large())) == "watch: 0.md and 99 more moved"
    assert check_title(check(replace(large(), documents=()))) == "watch: nothing moved"


@pytest.mark.parametrize("kb", ["docs", "my_docs", "a-1", "a_"])
def test_every_knowledge_bases_name_makes_an_artifact_key(kb: str):
    key = artifact_key("check", kb)

    assert ArtifactCreate(key=key).key == key
