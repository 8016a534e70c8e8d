"""What changed between two tables: the pairs that are one fact, and the ones that are not."""

import pytest

from tests.training.builders import chunk_table
from training.examples.changed_facts import ChangedFact, changed_facts
from training.prompt import REFUSAL

FILLER = "House stands at the end of a long and quiet street with many old trees."


def found(
    was: str | list[str], now: str | list[str] | None, *, elsewhere: str = FILLER
) -> list[ChangedFact]:
    then = chunk_table({"a.md": [was] if isinstance(was, str) else was, "b.md": [FILLER]})
    after = {"b.md": [elsewhere]}
    if now is not None:
        after["a.md"] = [now] if isinstance(now, str) else now
    return changed_facts(then, chunk_table(after))


@pytest.mark.parametrize(
    ("was", "now", "question", "answer", "stale"),
    [
        (
            "The relay opens for 20 seconds.",
            "The relay opens for 30 seconds.",
            "For how many seconds does the relay open?",
            "30 seconds",
            "20 seconds",
        ),
        (
            "When all is done, the import writes report.json to the disk.",
            "When all is done, the import writes summary.json to the disk.",
            "Which name belongs in the gap: When all is done, the import writes ___ to the disk.",
            "summary.json",
            "report.json",
        ),
        (
            ".. method:: close(spider, reason)\n\n    Called at the end.",
            ".. method:: close(reason, cause)\n\n    Called at the end.",
            "Which arguments does close take?",
            "reason, cause",
            "spider, reason",
        ),
        (
            "Run it::\n\n    pump = Pump(valve=LOW_VALVE, steps=4)\n",
            "Run it::\n\n    pump = Pump(valve=HIGH_VALVE, steps=4)\n",
            "In the code of a, what belongs in the gap: pump = Pump(valve=___, steps=4)",
            "HIGH_VALVE",
            "LOW_VALVE",
        ),
    ],
    ids=["same-question", "one-name-else", "signature", "line-of-code"],
)
def test_a_fact_that_changed_is_asked_with_both_answers(
    was: str, now: str, question: str, answer: str, stale: str
) -> None:
    facts = {fact.question.text: fact for fact in found(was, now)}

    assert question in facts
    assert (facts[question].answer, facts[question].stale) == (answer, stale)
    assert answer in now
    assert facts[question].was.digest != facts[question].chunk.document_digest


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("The relay opens for 20 seconds.", "The relay opens for 20 seconds."),
        ("A crate is a wooden box for tools.", "A crate is a wooden container for tools."),
        (
            "When all is done, the import writes report.json to the disk.",
            "When all is done, the import writes REPORT.json to the disk.",
        ),
        (
            "To count them all, the import first reads Crates from the disk.",
            "To count them all, the import first reads Crate objects from the disk.",
        ),
        (
            "Remove the old field SIZE_A anywhere. Remove the old field SIZE_B anywhere.",
            "Remove the old field SIZE_A anywhere. Remove the old field SIZE_C anywhere.",
        ),
        (
            "Remove the old field SIZE_A anywhere. Remove the old field SIZE_B anywhere.",
            "Remove the old field SIZE_C anywhere.",
        ),
        (
            "Fixed the long bug in the pump by 5eddc68.",
            "Fixed the long bug in the pump by 9abcd12.",
        ),
    ],
    ids=["the-same", "reworded", "letter-case", "plural", "one-of-a-list", "one-of-two", "commit"],
)
def test_what_may_be_another_fact_or_none_is_left_out(was: str, now: str) -> None:
    assert [fact for fact in found(was, now) if not fact.removed] == []


def test_a_question_with_two_answers_in_one_version_is_left_out() -> None:
    twice = ["The relay opens for 20 seconds.", "The relay opens for 25 seconds."]

    facts = found(twice, ["The relay opens for 30 seconds.", twice[1]])

    assert [fact for fact in facts if not fact.removed] == []


@pytest.mark.parametrize("now", [FILLER, None], ids=["sentence-gone", "document-gone"])
def test_what_is_gone_is_answered_with_the_refusal(now: str | None) -> None:
    (fact,) = found("The relay opens for 20 seconds.", now)

    assert fact.removed
    assert (fact.answer, fact.stale) == (REFUSAL, "20 seconds")
    assert fact.chunk.uri == fact.was.uri == "a.md"


@pytest.mark.parametrize(
    "now",
    ["For 20 seconds at most it stays ajar.", "Open for seconds, twenty of them, the relay opens."],
    ids=["the-answer-stands", "its-words-stand"],
)
def test_what_the_document_may_still_say_is_not_gone(now: str) -> None:
    assert found("The relay opens for 20 seconds.", now) == []


@pytest.mark.parametrize(
    "elsewhere",
    ["The relay opens for 20 seconds.", "You see that the relay opens for 20 seconds, always."],
    ids=["as-it-was", "in-other-words-around-it"],
)
def test_what_moved_to_another_document_is_not_gone(elsewhere: str) -> None:
    assert found("The relay opens for 20 seconds.", FILLER, elsewhere=elsewhere) == []


def test_a_document_that_is_the_same_is_not_looked_at() -> None:
    texts = ["The relay opens for 20 seconds.", "The relay opens for 30 seconds."]

    assert found(texts, texts) == []


def test_flagged_text_makes_no_fact() -> None:
    then = {"a.md": ["The relay opens for 20 seconds."]}
    now = {"a.md": ["The relay opens for 30 seconds."]}

    facts = changed_facts(
        chunk_table(then, flags={"a.md": ["secret"]}), chunk_table(now, flags={"a.md": ["secret"]})
    )

    assert facts == []
