"""No held-out text among the text to train on, whoever chose the rows."""

from dataclasses import replace

import pytest

from tests.training.builders import answer_row, text_row, training_set
from training.errors import EvalLeakError
from training.examples.leaks import require_no_leak, without_leaks
from training.records import DocumentVersion, Passage, Row, RowKind, TrainingSet, Turn

WORDS = [f"word{n}" for n in range(27)]  # twenty runs of eight
TEXT = " ".join(WORDS)
OTHER = "An entirely other text about the sea, its ships and the people who live from them both."


def with_others(words: int) -> str:
    """Return the text with its last words replaced: each takes one run of eight away."""
    return " ".join([*WORDS[: len(WORDS) - words], *(f"new{n}" for n in range(words))])


def chat(reply: str) -> Row:
    return Row(RowKind.CHAT, "chat.jsonl:7", "d", "d", reply, turns=(Turn("user", "Tell me."),))


def held(text: str) -> Row:
    return text_row(f"Title\n\n{text}", "held.md")


@pytest.mark.parametrize("new", [0, 4], ids=["all", "exactly-four-in-five"])
@pytest.mark.parametrize("where", ["text", "passage", "chat"])
def test_held_out_text_anywhere_in_a_training_row_is_a_leak(where: str, new: int) -> None:
    text = with_others(new)
    row = {
        "text": text_row(f"Other title\n\n{OTHER} {text}"),
        "passage": answer_row("Why?", "so", [Passage("T", text)], source=1),
        "chat": chat(text),
    }[where]

    with pytest.raises(EvalLeakError, match=r"held\.md") as caught:
        require_no_leak(training_set([row], texts=[held(TEXT)]))

    assert repr(row.uri) in str(caught.value)


@pytest.mark.parametrize("text", [with_others(5), OTHER], ids=["just-under", "another"])
def test_other_text_is_no_leak(text: str) -> None:
    require_no_leak(training_set([text_row(text)], texts=[held(TEXT)]))


def test_the_pieces_of_several_rows_add_up() -> None:
    halves = [text_row(" ".join(WORDS[:17])), text_row(" ".join(WORDS[10:]), "b.md")]

    with pytest.raises(EvalLeakError):
        require_no_leak(training_set(halves, texts=[held(TEXT)]))


def test_a_question_that_is_asked_on_both_sides_is_a_leak() -> None:
    train = answer_row("How long?", "5", [], source=0)
    weighed = answer_row("how LONG?", "9", [], source=0, uri="held.md")

    with pytest.raises(EvalLeakError, match="answer row"):
        require_no_leak(training_set([train], answers=[weighed]))


def test_a_short_passage_that_many_documents_have_is_no_leak() -> None:
    passages = [Passage("T", "Default: None")]

    require_no_leak(
        training_set(
            [answer_row("What?", "None", passages, source=1)],
            answers=[answer_row("Why?", "None", passages, source=1, uri="held.md")],
        )
    )


@pytest.mark.parametrize("part", ["holdout_old", "holdout_cloze", "holdout_general"])
def test_every_part_of_the_holdout_is_looked_at(part: str) -> None:
    examples = training_set([text_row(TEXT)])
    leaking: TrainingSet = replace(examples, **{part: (held(TEXT),)})  # type: ignore[arg-type]

    with pytest.raises(EvalLeakError):
        require_no_leak(leaking)


@pytest.mark.parametrize("hidden", [False, True], ids=["its-own", "behind-a-distractor"])
def test_a_document_on_both_sides_is_a_leak(*, hidden: bool) -> None:
    row = text_row(OTHER, "a.md" if hidden else "held.md")
    if hidden:
        row = replace(row, others=(DocumentVersion("held.md", "d"),))

    with pytest.raises(EvalLeakError, match=r"'held\.md' is on both sides"):
        require_no_leak(training_set([row], texts=[held(TEXT)]))


def test_training_rows_that_leak_are_taken_out_and_conversations_stay() -> None:
    rows = [text_row(TEXT), text_row(OTHER, "b.md"), chat(TEXT)]

    kept = without_leaks(rows, [held(TEXT)])

    assert kept == rows[1:]
