"""Sentences cut alike on both sides; documents and sentences paired with what they were."""

import pytest

from monitors.corpus import Corpus
from monitors.facts.alignment import (
    document_sentences,
    match,
    pair_documents,
    sentence_of,
    unmatched,
)
from monitors.facts.sentences import MAX_WORDS, plain, sentences
from tests.monitors.builders import chunk_table, prose


def corpus(documents: dict[str, list[str]]) -> Corpus:
    return Corpus.from_table(chunk_table(documents))


def pairs(was: dict[str, list[str]], now: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return (old uri, current uri) of every document pair."""
    old, new = corpus(was), corpus(now)
    return [(old.uris[pair.was.start], pair.uri) for pair in pair_documents(old, new)]


def paragraphs(seed: int) -> list[str]:
    letters = str.maketrans("0123456789", "abcdefghij")  # numbers are masked, words are not
    return [f"{prose(seed * 100 + at, words=12).translate(letters)}." for at in range(4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One thing. Two things.", ["One thing.", "Two things."], id="two"),
        pytest.param("One\nthing is\nthis.", ["One thing is this."], id="wrapped"),
        pytest.param("Use it, e.g. Fridays.", ["Use it, e.g. Fridays."], id="abbreviation"),
        pytest.param("Title\n=====\nText.", ["Title", "Text."], id="heading"),
        pytest.param("# Title\nText.", ["Title", "Text."], id="markdown-heading"),
        pytest.param("* one\n* two\n  more", ["one", "two more"], id="list"),
        pytest.param("1. one\n2. two", ["one", "two"], id="enumerated"),
        pytest.param("| a | 1 |\n|---|---|\n| b | 2 |", ["| a | 1 |", "| b | 2 |"], id="table"),
        pytest.param("A = 1\nB = 2", ["A = 1", "B = 2"], id="code"),
        pytest.param("```python\nA = 1\n```", ["A = 1"], id="fence"),
        pytest.param("---\n\n***", [], id="rules-only"),
    ],
)
def test_text_is_cut_into_sentences(text: str, expected: list[str]):
    assert list(sentences(text)) == expected


def test_a_sentence_without_an_end_is_read_in_pieces():
    pieces = list(sentences("word " * (MAX_WORDS + 1)))

    assert [len(piece.split()) for piece in pieces] == [MAX_WORDS, 1]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        pytest.param(":meth:`run() <a.b.run>`", "`run() `", id="role"),
        pytest.param("[text](../other.md)", "[text]", id="link-inside"),
        pytest.param("[text](https://a.org)", "[text](https://a.org)", id="address-on-the-web"),
        pytest.param("**bold** and *this*", "bold and this", id="strong"),
        pytest.param("a\\_b", "a_b", id="escape"),
        pytest.param("caf\u00e9 \u2018x\u2019", "caf\u00e9 'x'", id="typography"),
    ],
)
def test_markup_goes_and_addresses_stay(marked: str, expected: str):
    assert plain(marked) == expected


def test_a_document_is_paired_by_its_uri_whatever_became_of_it():
    assert pairs({"a.md": paragraphs(1)}, {"a.md": paragraphs(2)}) == [("a.md", "a.md")]


def test_a_document_that_moved_is_paired_by_what_it_says():
    was = {"old.md": paragraphs(1), "gone.md": paragraphs(2)}
    now = {"new.md": [*paragraphs(1)[:3], "Another sentence stands here now."]}

    assert pairs(was, now) == [("old.md", "new.md")]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param(2, [("old.md", "new.md")], id="exactly-half"),
        pytest.param(1, [], id="less-than-half"),
    ],
)
def test_half_of_the_sentences_make_a_moved_document(kept: int, expected: list[tuple[str, str]]):
    now = {"new.md": [*paragraphs(1)[:kept], *paragraphs(2)[kept:]]}

    assert pairs({"old.md": paragraphs(1)}, now) == expected


def test_an_old_document_is_the_origin_of_one_new_one():
    found = pairs({"old.md": paragraphs(1)}, {"b.md": paragraphs(1), "c.md": paragraphs(1)})

    assert found == [("old.md", "b.md")]


def test_a_shared_chunk_is_not_read_but_keeps_its_place():
    read = corpus({"a.md": ["One thing.", "Two things.", "Three things."]})

    found = document_sentences(read, slice(0, 3), [read.normal_digests[1]])

    assert [sentence.text for sentence in found] == ["One thing.", "", "Three things."]


def test_equals_are_matched_once_each_first_between_the_same_neighbours():
    was = [sentence_of(text) for text in ("a a", "same", "b b", "same", "c c")]
    now = [sentence_of(text) for text in ("new", "same", "b b")]

    assert unmatched(was, now) == ([0, 3, 4], [0])


def test_positions_of_equal_keys_are_matched_in_order():
    assert list(match({0: "a", 1: "a", 2: "b"}, {5: "a", 6: "a"})) == [(0, 5), (1, 6)]
