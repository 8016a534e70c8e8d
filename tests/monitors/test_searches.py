"""A search put together from the reference and the change finds what a search of all finds."""

from collections.abc import Sequence

import numpy as np
import pytest

from monitors.asking.full_text import FOUND, search_in
from monitors.asking.searches import remembered, search_anew

WORDS = tuple(f"word{at}" for at in range(12))


def drawn_texts(generator: np.random.Generator, count: int) -> list[str]:
    """Return texts that differ, of 2 to 9 different words each."""
    texts = {
        " ".join(generator.choice(WORDS, size=generator.integers(2, 10), replace=False))
        for _ in range(count)
    }
    return sorted(texts)


def changed(seed: int, *, kept: int, now: int) -> tuple[list[str], set[str], list[str]]:
    """Return the texts of a reference, those that are gone, and those that are new."""
    generator = np.random.default_rng(seed)
    texts = drawn_texts(generator, kept + now)
    reference, new = texts[:kept], texts[kept:]
    return reference, set(reference[: generator.integers(0, kept + 1)]), new


@pytest.mark.parametrize("seed", range(20))
def test_in_a_corpus_of_five_texts_the_same_are_found(seed: int):
    reference, gone, now = changed(seed, kept=3, now=2)
    questions = [*WORDS, "word1 word2", "word3 word4 word5", "unheard"]

    found = search_anew(search_in(reference), gone=gone, now=now)(questions)

    whole = search_in([*now, *(text for text in reference if text not in gone)])(questions)
    assert [set(texts) for texts in found] == [set(texts) for texts in whole]


@pytest.mark.parametrize("seed", range(20))
def test_one_word_finds_the_same_in_the_same_order_however_much_came(seed: int):
    # Each word stands once in a text, so that how common it is does not change the order.
    reference, gone, now = changed(seed, kept=FOUND, now=60)

    found = search_anew(search_in(reference), gone=gone, now=now)(WORDS)

    left = [text for text in reference if text not in gone]
    for texts, whole in zip(found, search_in([*now, *left])(WORDS), strict=True):
        assert len(texts) == len(whole)
        assert [len(text.split()) for text in texts] == [len(text.split()) for text in whole]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_gone_is_never_found_and_no_text_twice(seed: int):
    reference, gone, now = changed(seed, kept=40, now=20)

    found = search_anew(search_in(reference), gone=gone, now=[*now, reference[-1]])(WORDS)

    assert all(not gone & (set(texts) - {reference[-1]}) for texts in found)
    assert all(len(texts) == len(set(texts)) <= FOUND for texts in found)


def test_nothing_changed_finds_what_the_reference_finds():
    reference = drawn_texts(np.random.default_rng(0), 5)

    found = search_anew(search_in(reference), gone=(), now=())(WORDS)

    assert [set(texts) for texts in found] == [set(texts) for texts in search_in(reference)(WORDS)]


def test_each_question_is_asked_once():
    asked: list[str] = []

    def search(questions: Sequence[str]) -> list[list[str]]:
        asked.extend(questions)
        return [[question] for question in questions]

    ask = remembered(search)

    assert ask(["a", "b", "a"]) == [["a"], ["b"], ["a"]]
    assert ask(["b", "c"]) == [["b"], ["c"]]
    assert asked == ["a", "b", "c"]
