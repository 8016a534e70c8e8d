"""What every paired detector promises, and one value of each worked out by hand."""

import doctest
import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from monitors import signals
from monitors.asking.full_text import search_in
from monitors.pair import Pair
from monitors.signals import digests, edits, novelty, shingles, staleness, topic_mix, vocabulary
from tests.monitors.builders import chunk_table, pair, pair_of, prose

Measure = Callable[[Pair], float | None]


def probed(pair: Pair) -> float | None:
    """Ask both sides what their own texts answer."""
    sides = ([*pair.reference.texts, *pair.steady.texts], [*pair.current.texts, *pair.steady.texts])
    before, now = (search_in(texts) for texts in sides)
    found = staleness.measure(replace(pair, search_reference=before, search_current=now))
    return None if found is None else found.share


DETECTORS: dict[str, Measure] = {
    "unseen_shingles": lambda pair: shingles.measure(pair).share,
    "changed_chunks": lambda pair: digests.measure_changed(pair, shingles.measure(pair)).changed,
    "removed_chunks": digests.measure_removed,
    "novelty": novelty.measure,
}
# Shares of a whole can come back to what they were, and a fact or an answer need not change with
# the text: these need not grow with every change.
MIXES: dict[str, Measure] = {
    "topic_mix": topic_mix.measure,
    "vocabulary": lambda pair: vocabulary.measure(pair).divergence,
    "factual_edits": lambda pair: edits.measure(pair.reference, pair.current).share,
    "probed_staleness": probed,
}
# Facts are compared within a document, so what stands under another name is another text.
BLIND_TO_NAMES = {
    name: each for name, each in (DETECTORS | MIXES).items() if name != "factual_edits"
}
DETECTOR_FILES = sorted(each.name for each in pkgutil.iter_modules(signals.__path__))
blind_to_names = pytest.mark.parametrize("measure", BLIND_TO_NAMES.values(), ids=BLIND_TO_NAMES)
every_share = pytest.mark.parametrize("measure", DETECTORS.values(), ids=DETECTORS)
every_detector = pytest.mark.parametrize(
    "measure", (DETECTORS | MIXES).values(), ids=DETECTORS | MIXES
)


def between(old: list[str], new: list[str]) -> Pair:
    """Return a pair of corpora: one-chunk documents whose vectors point where their words do."""
    return pair_of(table_of(old), table_of(new))


def table_of(texts: list[str]) -> pa.Table:
    documents = {f"{at:03}.md": [text] for at, text in enumerate(texts)}
    return chunk_table(documents, vectors_of(texts))


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
    assert measure(between(TEXTS, TEXTS)) == 0.0


@every_share
def test_another_corpus_altogether_has_drifted_entirely(measure: Measure):
    others = [prose(seed) for seed in range(100, 120)]

    assert measure(between(TEXTS, others)) == pytest.approx(1.0, abs=0.01)


@every_share
def test_the_score_grows_with_the_documents_that_changed(measure: Measure):
    scores = [
        measure(between(TEXTS, [prose(500 + at) for at in range(changed)] + TEXTS[changed:])) or 0.0
        for changed in (0, 2, 5, 10, 20)
    ]

    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


@every_detector
def test_the_same_pair_gives_the_same_score(measure: Measure):
    pair = between(TEXTS, [*TEXTS[:15], *(prose(700 + at) for at in range(5))])

    assert measure(pair) == measure(pair)


@pytest.mark.parametrize("name", DETECTOR_FILES)
def test_a_detector_says_its_formula_where_it_is_from_and_how_it_is_used(name: str):
    module = importlib.import_module(f"monitors.signals.{name}")

    told = module.__doc__ or ""
    examples = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert "Formula: " in told
    assert re.search(r"References?: ", told)
    assert any(each.examples for each in examples)


@blind_to_names
def test_the_order_and_the_names_of_documents_do_not_matter(measure: Measure):
    assert measure(between(TEXTS, TEXTS[::-1])) == 0.0


@every_share
def test_a_duplicate_is_not_drift(measure: Measure):
    assert measure(between(TEXTS, [*TEXTS, TEXTS[0], TEXTS[0]])) == 0.0


@every_detector
def test_an_empty_current_corpus_says_nothing_new(measure: Measure):
    empty = chunk_table({}, np.zeros((0, 400), dtype="f4"))

    assert not measure(pair_of(empty, empty))


def test_rechunking_does_not_change_unseen_shingles():
    whole, cut = TEXTS[0], TEXTS[0].split()

    recut = pair({"a.md": [whole]}, {"a.md": [" ".join(cut[:31]), " ".join(cut[31:])]})

    assert shingles.measure(recut).share == 0.0


def test_markup_case_and_line_breaks_do_not_change_unseen_shingles():
    dressed = pair(
        {"a.md": ["the grace period is fourteen days long"]},
        {"a.md": ["The *grace\nperiod* is `fourteen`\tdays long."]},
    )

    assert shingles.measure(dressed).share == 0.0


def test_one_changed_word_is_in_five_shingles():
    words = [f"w{number}" for number in range(20)]  # 16 runs of five
    changed = [*words[:9], "new", *words[10:]]

    unseen = shingles.measure(pair({"a.md": [" ".join(words)]}, {"a.md": [" ".join(changed)]}))

    assert unseen.share == pytest.approx(5 / 16)


def test_no_shingle_spans_two_documents():
    apart = pair(
        {"a.md": ["one two three four five six"]},
        {"a.md": ["one two three"], "b.md": ["four five six"]},
    )

    assert shingles.measure(apart).share == 1.0


def test_a_shingle_over_a_chunk_border_is_read_where_a_neighbour_changed():
    words = [f"w{number}" for number in range(30)]
    chunks = [" ".join(words[at : at + 10]) for at in (0, 10, 20)]
    inserted = [*chunks[:1], "here is something new to read", *chunks[1:]]

    unseen = shingles.measure(pair({"a.md": chunks}, {"a.md": inserted}))

    # Six new words lie in ten runs of five, none of which stood there before.
    assert unseen.unseen == 10
    assert unseen.by_chunk.tolist() == [4, 6, 0, 0]


def test_a_chunk_that_the_reference_holds_elsewhere_was_seen():
    old = {"a.md": TEXTS[:3], "b.md": [TEXTS[3]]}
    new = {"a.md": [TEXTS[0], TEXTS[2]], "b.md": [TEXTS[3], TEXTS[1]]}

    assert shingles.measure(pair(old, new)).by_chunk.sum() <= 2 * 4  # runs over the new borders


def test_the_share_reckoned_from_what_changed_is_near_that_of_the_whole():
    kept = {f"{at:03}.md": [prose(at), prose(1000 + at)] for at in range(200)}
    new = {f"n{at}.md": [prose(5000 + at)] for at in range(40)}

    share = shingles.measure(pair(kept, kept | new)).share

    assert share == pytest.approx(40 / 440, rel=0.05)


def test_a_document_too_long_for_the_sample_counts_all_the_same():
    long = {"long.md": [prose(at) for at in range(300)]}

    share = shingles.measure(pair(long, long | {"new.md": [prose(900)]})).share

    assert share == pytest.approx(1 / 301, rel=0.05)


def test_document_shares_of_unseen_shingles_add_up():
    unseen = shingles.measure(between(TEXTS[:10], TEXTS[:12]))

    assert sum(unseen.by_document.values()) == unseen.unseen == unseen.by_chunk.sum()
    assert set(unseen.by_document) == {"010.md", "011.md"}


def test_a_changed_number_is_seen_by_the_digests():
    edited = pair(
        {"a.md": ["due in 14 days", "late fees apply"]},
        {"a.md": ["due in 21 days", "late fees apply"]},
    )

    assert digests.measure_changed(edited, shingles.measure(edited)).changed == 0.5
    assert digests.measure_removed(edited) == 0.5


def test_new_text_is_told_from_edited_text():
    words = TEXTS[0].split()
    slightly = " ".join([*words[:30], "other", *words[31:]])
    old = {f"{at}.md": [text] for at, text in enumerate(TEXTS[:9])}
    new = old | {"0.md": [slightly], "new.md": [prose(99)]}

    changed = digests.measure_changed(pair(old, new), shingles.measure(pair(old, new)))

    assert changed == digests.ChangedChunks(changed=0.2, new=0.1, edited=0.1)


@pytest.mark.parametrize(
    ("cosine", "novel"), [(0.89, 1.0), (0.91, 0.0)], ids=["just-under-the-cut", "just-over"]
)
def test_novelty_starts_under_the_cut(cosine: float, novel: float):
    old = chunk_table({"a.md": ["old"]}, np.array([[1.0, 0.0]]))
    turned = np.array([[cosine, np.sqrt(1 - cosine**2)]])

    found = novelty.measure(pair_of(old, chunk_table({"a.md": ["new"]}, turned)))

    assert found == novel


@pytest.mark.parametrize(
    "measure", [novelty.measure, topic_mix.measure], ids=["novelty", "topic_mix"]
)
def test_what_needs_vectors_is_not_measured_without(measure: Measure):
    assert measure(pair({"a.md": ["text"]}, {"a.md": ["other"]})) is None


def test_sampled_novelty_estimates_the_whole():
    generator = np.random.default_rng(7)
    vectors = np.zeros((3_000, 2), dtype="f4")
    novel = generator.random(3_000) < 0.3
    vectors[novel, 1], vectors[~novel, 0] = 1, 1
    new = chunk_table({"a.md": [f"text {n}" for n in range(3_000)]}, vectors)
    old = chunk_table({"a.md": ["old"]}, np.array([[1.0, 0.0]]))

    sampled = novelty.measure(pair_of(old, new), sample=400)

    assert sampled == pytest.approx(novel.mean(), abs=0.07)  # three standard errors of 400 draws


def test_a_new_topic_changes_the_mix_by_the_value_worked_out_by_hand():
    x, y = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    old = chunk_table({"a.md": ["a"], "b.md": ["b"]}, np.concatenate([x, y]))
    new = chunk_table({"a.md": ["c"], "b.md": ["d"]}, np.concatenate([x, x]))

    mix = topic_mix.measure(pair_of(old, new), topics=2)

    # (1/2, 1/2) against (1, 0), middle (3/4, 1/4): half of 1/2 log 2/3 + 1/2 log 2 + log 4/3.
    assert mix == pytest.approx((0.5 * np.log2(2 / 3) + 0.5 + np.log2(4 / 3)) / 2)
