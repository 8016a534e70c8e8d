"""What every paired detector promises, and one value of each worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from monitors.corpus import Corpus
from monitors.signals import digests, novelty, shingles
from tests.monitors.builders import chunk_table, prose

Measure = Callable[[Corpus, Corpus], float | None]

DETECTORS: dict[str, Measure] = {
    "unseen_shingles": lambda old, new: shingles.measure(old, new).share,
    "changed_chunks": digests.measure_changed,
    "removed_chunks": digests.measure_removed,
    "novelty": novelty.measure,
}
every_detector = pytest.mark.parametrize("measure", DETECTORS.values(), ids=DETECTORS)


def corpus(texts: list[str]) -> Corpus:
    """Return a corpus of one-chunk documents whose vectors point where their words do."""
    return Corpus.from_table(
        chunk_table({f"{at:03}.md": [text] for at, text in enumerate(texts)}, vectors_of(texts))
    )


def vectors_of(texts: list[str]) -> NDArray[np.float32]:
    counts = np.zeros((len(texts), 400), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            counts[row, int(word.removeprefix("word"))] += 1
    unit: NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return unit


TEXTS = [prose(seed) for seed in range(20)]


@every_detector
def test_a_corpus_has_not_drifted_from_itself(measure: Measure):
    assert measure(corpus(TEXTS), corpus(TEXTS)) == 0.0


@every_detector
def test_another_corpus_altogether_has_drifted_entirely(measure: Measure):
    others = [prose(seed) for seed in range(100, 120)]

    assert measure(corpus(TEXTS), corpus(others)) == pytest.approx(1.0, abs=0.01)


@every_detector
def test_the_score_grows_with_the_documents_that_changed(measure: Measure):
    scores = [
        measure(corpus(TEXTS), corpus([prose(500 + at) for at in range(changed)] + TEXTS[changed:]))
        or 0.0
        for changed in (0, 2, 5, 10, 20)
    ]

    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


@every_detector
def test_the_order_and_the_names_of_documents_do_not_matter(measure: Measure):
    assert measure(corpus(TEXTS), corpus(TEXTS[::-1])) == 0.0


@every_detector
def test_a_duplicate_is_not_drift(measure: Measure):
    assert measure(corpus(TEXTS), corpus([*TEXTS, TEXTS[0], TEXTS[0]])) == 0.0


@every_detector
def test_an_empty_current_corpus_says_nothing_new(measure: Measure):
    empty = Corpus.from_table(chunk_table({}, np.zeros((0, 400), dtype="f4")))

    assert measure(empty, empty) == 0.0


def test_rechunking_does_not_change_unseen_shingles():
    whole, cut = TEXTS[0], TEXTS[0].split()
    old = Corpus.from_table(chunk_table({"a.md": [whole]}))
    new = Corpus.from_table(chunk_table({"a.md": [" ".join(cut[:31]), " ".join(cut[31:])]}))

    assert shingles.measure(old, new).share == 0.0


def test_markup_case_and_line_breaks_do_not_change_unseen_shingles():
    old = Corpus.from_table(chunk_table({"a.md": ["the grace period is fourteen days long"]}))
    new = Corpus.from_table(
        chunk_table({"a.md": ["The *grace\nperiod* is `fourteen`\tdays long."]})
    )

    assert shingles.measure(old, new).share == 0.0


def test_one_changed_word_is_in_five_shingles():
    words = [f"w{number}" for number in range(20)]  # 16 runs of five
    old = Corpus.from_table(chunk_table({"a.md": [" ".join(words)]}))
    new = Corpus.from_table(chunk_table({"a.md": [" ".join([*words[:9], "new", *words[10:]])]}))

    assert shingles.measure(old, new).share == pytest.approx(5 / 16)


def test_no_shingle_spans_two_documents():
    together = Corpus.from_table(
        chunk_table({"a.md": ["one two three"], "b.md": ["four five six"]})
    )
    apart = Corpus.from_table(chunk_table({"a.md": ["one two three four five six"]}))

    assert shingles.measure(apart, together).share == 1.0


def test_document_shares_of_unseen_shingles_add_up():
    old = corpus(TEXTS[:10])

    unseen = shingles.measure(old, corpus(TEXTS[:12]))

    assert sum(unseen.by_document.values()) == unseen.unseen
    assert set(unseen.by_document) == {"010.md", "011.md"}


def test_a_changed_number_is_seen_by_the_digests():
    old = Corpus.from_table(chunk_table({"a.md": ["due in 14 days", "late fees apply"]}))
    new = Corpus.from_table(chunk_table({"a.md": ["due in 21 days", "late fees apply"]}))

    assert digests.measure_changed(old, new) == 0.5
    assert digests.measure_removed(old, new) == 0.5


@pytest.mark.parametrize(
    ("cosine", "novel"), [(0.89, 1.0), (0.91, 0.0)], ids=["just-under-the-cut", "just-over"]
)
def test_novelty_starts_under_the_cut(cosine: float, novel: float):
    old = Corpus.from_table(chunk_table({"a.md": ["old"]}, np.array([[1.0, 0.0]])))
    turned = np.array([[cosine, np.sqrt(1 - cosine**2)]])
    new = Corpus.from_table(chunk_table({"a.md": ["new"]}, turned))

    assert novelty.measure(old, new) == novel


def test_novelty_is_not_measured_without_vectors():
    bare = Corpus.from_table(chunk_table({"a.md": ["text"]}))

    assert novelty.measure(bare, bare) is None


def test_sampled_novelty_estimates_the_whole():
    generator = np.random.default_rng(7)
    vectors = np.zeros((3_000, 2), dtype="f4")
    novel = generator.random(3_000) < 0.3
    vectors[novel, 1], vectors[~novel, 0] = 1, 1
    new = Corpus.from_table(chunk_table({"a.md": [f"text {n}" for n in range(3_000)]}, vectors))
    old = Corpus.from_table(chunk_table({"a.md": ["old"]}, np.array([[1.0, 0.0]])))

    sampled = novelty.measure(old, new, sample=400)

    assert sampled == pytest.approx(novel.mean(), abs=0.07)  # three standard errors of 400 draws
