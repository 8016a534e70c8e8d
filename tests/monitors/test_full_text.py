"""Full-text search in memory: what is found, in which order, and what never is."""

import pytest

from monitors.asking.full_text import FOUND, search_in


def test_a_rare_word_says_more_than_a_common_one():
    texts = ["the index is kept", "the index is lost", "the weights are kept"]

    (found,) = search_in(texts)(["index weights"])

    assert found[0] == "the weights are kept"


def test_of_two_texts_with_the_word_the_shorter_is_better():
    long, short = "grace " + "filler " * 40, "grace period"

    (found,) = search_in([long, short, "other text"])(["grace"])

    assert found == [short, long]


def test_a_word_that_is_repeated_counts_more_but_ever_less():
    texts = ["grace grace aa bb", "grace aa bb cc", "grace period aa bb"]

    twice, both = search_in(texts)(["grace", "grace period"])

    assert twice[0] == "grace grace aa bb"
    assert both[0] == "grace period aa bb"


def test_a_text_without_a_word_of_the_question_is_never_found():
    found = search_in(["grace period", "another matter"])(["grace", "unheard"])

    assert found == [["grace period"], []]


@pytest.mark.parametrize("texts", [FOUND - 1, FOUND, FOUND + 1])
def test_no_more_than_five_are_found(texts: int):
    (found,) = search_in([f"grace {at}" for at in range(texts)])(["grace"])

    assert len(found) == min(texts, 5)


def test_of_equally_good_texts_the_first_are_found_in_order():
    (found,) = search_in([f"grace {at}" for at in range(500)])(["grace"])

    assert found == [f"grace {at}" for at in range(5)]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Die ÖFFNUNG ist um neun", "öffnung"),
        ("See (``grace``), please.", "GRACE"),
        ("set grace_period now", "grace_period?"),
    ],
    ids=["letters-of-other-languages", "markup-and-case", "underscores-hold-a-name-together"],
)
def test_words_are_found_as_they_are_read(text: str, question: str):
    (found,) = search_in(["nothing else", text])([question])

    assert found == [text]


def test_a_repeated_word_in_a_question_counts_once():
    texts = ["grace of old", "period of days days"]

    once, often = search_in(texts)(["grace days", "grace days days grace grace"])

    assert once == often


def test_texts_far_down_a_long_corpus_are_found():
    texts = [f"filler {at}" for at in range(20_000)]
    texts[9_000] = texts[9_000] + " grace"
    texts[-1] = "grace"

    (found,) = search_in(texts)(["grace"])

    assert found == ["grace", "filler 9000 grace"]


@pytest.mark.parametrize(
    ("texts", "questions", "found"),
    [
        ([], ["grace"], [[]]),
        (["grace"], [], []),
        ([""], ["grace"], [[]]),
        (["grace"], ["?!"], [[]]),
    ],
    ids=["no-texts", "no-questions", "an-empty-text", "a-question-without-words"],
)
def test_nothing_is_found_in_nothing(
    texts: list[str], questions: list[str], found: list[list[str]]
):
    assert search_in(texts)(questions) == found
