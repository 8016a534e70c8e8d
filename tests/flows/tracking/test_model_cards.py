"""What people read in MLflow about a model says what, why, on what, how tested, and its limits."""

from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from flows.records import Weighed
from flows.tracking.model_cards import (
    MEASURES,
    Provenance,
    evaluation_table,
    topic_table,
    version_card,
)
from training.records import Adapter, BaseModel, DocumentVersion, Row, RowKind, TrainingSet
from training.weighing import Change, Evaluation, Interval, Scores, TopicScore, Verdict

BASE = BaseModel("package:small", Path("base"), "b" * 64)
HOSTILE = "<img src=x onerror=alert(1)>|`a`"
NOTHING = Scores((), (), ())
EVALUATION = Evaluation(
    new=Change(1.0, 0.9, Interval(-0.1, -0.12, -0.08), 24, 9),
    old=Change(1.0, 0.99, Interval(-0.01, -0.02, 0.0), 24, 9),
    learning=Change(change=Interval(-0.09, -0.11, -0.05), rows=48, documents=9),
    f1=Change(0.1, 0.4, Interval(0.3, 0.14, 0.5), 64, 12),
    documents=12,
)


def weighed(*, promote: bool = True, evaluation: Evaluation = EVALUATION) -> Weighed:
    adapter = Adapter(Path("adapter"), "a" * 64, BASE.digest, 20_000, rank=16, seconds=61.0)
    return Weighed(adapter, NOTHING, NOTHING, evaluation, Verdict(promote, f"said {HOSTILE}"))


def examples() -> TrainingSet:
    other = DocumentVersion("b.md", "2")
    row = Row(RowKind.ANSWER, "a.md", "1", "c", "14 days", "How long?", others=(other,))
    return TrainingSet("docs@1", "docs@2", (row, row), (), (), (), "e" * 64)


def card(of: Weighed, *, started_from: str = "") -> str:
    return version_card(
        "docs", BASE, examples(), of, Provenance(3, "champion", started_from, f"moved {HOSTILE}")
    )


def rendered(markdown: str) -> str:
    html: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return html


@pytest.mark.parametrize(
    "part", ["**What.**", "**Why.**", "**Trained on.**", "**Tested how.**", "**Limits.**"]
)
def test_a_model_card_has_every_part(part: str):
    assert part in card(weighed())


def test_a_model_card_names_the_documents_of_distractors_too():
    assert "2 answer rows of 2 document versions (20,000 tokens, 61 s)" in card(weighed())


@pytest.mark.parametrize(
    ("started_from", "said"),
    [
        pytest.param("", "trained from a fresh adapter", id="fresh"),
        pytest.param(
            "f" * 64, "trained on from the champion's adapter `ffffffffffffffff`", id="continued"
        ),
    ],
)
def test_a_model_card_says_which_weights_it_began_with(started_from: str, said: str):
    assert said in card(weighed(), started_from=started_from)


@pytest.mark.parametrize(("promote", "said"), [(True, "promote"), (False, "do not promote")])
def test_a_model_card_opens_with_the_verdict(*, promote: bool, said: str):
    assert card(weighed(promote=promote)).startswith(f"## Verdict: {said}\n")


def test_what_was_not_weighed_is_named_as_a_limit():
    limits = card(weighed()).partition("**Limits.**")[2]

    assert MEASURES["stale"].label in limits
    assert MEASURES["f1"].label not in limits


def test_text_of_documents_is_shown_as_it_stands():
    topics = (TopicScore(HOSTILE, 3, 0.1, 0.2, 0, 0.0, 0.0), TopicScore("b", 0, 0, 0, 4, 1, 0.9))

    page = rendered(card(weighed(evaluation=replace(EVALUATION, topics=topics))))

    assert "<img" not in page
    assert "onerror=alert(1)&gt;|`a`" in page


def test_a_table_shows_what_was_weighed_and_nothing_else():
    table = evaluation_table(EVALUATION)

    shown = [each.label for each in MEASURES.values() if f"| {each.label} |" in table]
    assert shown == [MEASURES[name].label for name in ("new", "old", "learning", "f1")]
    assert "| new text, bits per byte | less | 1.000 | 0.900 | -10.0% [-12.0%, -8.0%] |" in table
    assert "| answers, token F1 | more | 0.100 | 0.400 | +0.300 [+0.140, +0.500] |" in table
    assert "| new minus old text | less |  |  | -9.0% [-11.0%, -5.0%] |" in table


def test_every_measure_of_an_evaluation_has_a_name():
    assert [name for name, _ in EVALUATION.measures if name not in MEASURES] == []


def test_one_topic_is_no_table():
    one = TopicScore("a", 3, 0.1, 0.2, 2, 1.0, 0.9)

    assert topic_table([one]) == []
    assert "| a | 3 | 0.10 → 0.20 | 2 | 1.00 → 0.90 |" in topic_table([one, one])[0]
