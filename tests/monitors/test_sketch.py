"""Sketches against the shares that they stand for, and what they cannot tell."""

from math import sqrt

import numpy as np
import pytest

from monitors.corpus import Corpus
from monitors.replaying import sketch as sketching
from monitors.replaying.sketch import Piece, Sketch, Sketcher, compare, sketch
from monitors.signals.shingles import hashes
from tests.monitors.builders import chunk_table, prose


def corpus(documents: dict[str, list[str]]) -> Corpus:
    return Corpus.from_table(chunk_table(documents))


def whole(sketcher: Sketcher, documents: dict[str, list[str]]) -> Sketch:
    return sketch(sketcher.pieces(corpus(documents)).values())


def large(seed: int, *, shared: int, own: int) -> dict[str, list[str]]:
    """Documents of 1,004 words, 1,000 runs of five each, of which some are those of seed 0."""
    wide = {f"shared-{at}.md": [words(at)] for at in range(shared)}
    return wide | {f"own-{at}.md": [words(1_000 * seed + at)] for at in range(own)}


def words(seed: int) -> str:
    drawn = np.random.default_rng(seed).integers(0, 100_000, size=1_004)
    return " ".join(f"w{number}" for number in drawn)


def test_a_version_is_nowhere_new_beside_itself():
    documents = {"a.md": [prose(1), prose(2)]}
    sketcher = Sketcher()

    shares = compare(whole(sketcher, documents), whole(sketcher, documents))

    assert (shares.unseen_shingles, shares.changed_chunks, shares.removed_chunks) == (0, 0, 0)


def test_what_one_word_changes_is_counted_by_hand():
    sketcher = Sketcher()
    old = whole(
        sketcher, {"a.md": ["one two three four five six"], "b.md": ["kept as it was here"]}
    )
    new = whole(
        sketcher, {"a.md": ["one two three four five nine"], "b.md": ["kept as it was here"]}
    )

    shares = compare(old, new)

    # Runs now: one-five, two-nine, and that of b.md: one of three is new. Texts: one of two.
    assert shares.unseen_shingles == pytest.approx(1 / 3)
    assert (shares.changed_chunks, shares.removed_chunks) == (0.5, 0.5)


def test_what_went_is_no_unseen_text():
    sketcher = Sketcher()
    old = whole(sketcher, {"a.md": [prose(1)], "b.md": [prose(2)]})
    new = whole(sketcher, {"a.md": [prose(1)]})

    shares = compare(old, new)

    assert (shares.unseen_shingles, shares.changed_chunks) == (0, 0)
    assert shares.removed_chunks == 0.5


def test_a_moved_document_is_not_new():
    sketcher = Sketcher()

    shares = compare(
        whole(sketcher, {"a.md": [prose(1)]}), whole(sketcher, {"else/where.md": [prose(1)]})
    )

    assert shares.unseen_shingles == 0


@pytest.mark.parametrize(
    ("old", "new", "unseen", "removed"),
    [({}, {}, 0, 0), ({}, {"a.md": ["some words that are new"]}, 1, 0),
     ({"a.md": ["some words that were there"]}, {}, 0, 1)],
    ids=["both-empty", "empty-reference", "empty-current"],
)  # fmt: skip
def test_an_empty_side_is_answered(old, new, unseen: float, removed: float):
    sketcher = Sketcher()

    shares = compare(whole(sketcher, old), whole(sketcher, new))

    assert (shares.unseen_shingles, shares.removed_chunks) == (unseen, removed)


def test_a_small_version_is_kept_whole_and_is_exact():
    old = {"a.md": [prose(1, 300)], "b.md": [prose(2, 300)]}
    new = {"a.md": [prose(1, 300)], "b.md": [prose(3, 300)]}
    sketcher = Sketcher()

    shares = compare(whole(sketcher, old), whole(sketcher, new))

    numbers: dict[str, int] = {}
    known, present = (set(hashes(corpus(side), numbers)) for side in (old, new))
    assert 0.4 < len(present - known) / len(present) < 0.6
    assert shares.unseen_shingles == pytest.approx(len(present - known) / len(present))


@pytest.mark.parametrize("own", [2, 20, 60])
def test_a_large_version_is_estimated_within_the_stated_error(own: int):
    sketcher = Sketcher()
    old, new = large(1, shared=60, own=0), large(2, shared=60, own=own)

    estimated = compare(whole(sketcher, old), whole(sketcher, new)).unseen_shingles

    exact = own / (60 + own)  # runs of five drawn words are distinct: 100,000 ** 5 of them
    kept = sketching.KEPT / 2
    assert len(whole(sketcher, new).shingles) >= kept
    assert abs(estimated - exact) < 4 * sqrt(exact * (1 - exact) / kept)


@pytest.mark.parametrize(
    ("count", "halvings"), [(sketching.KEPT, 0), (sketching.KEPT + 1, 1)], ids=["at", "over"]
)
def test_nothing_is_left_out_up_to_the_limit(count: int, halvings: int):
    spread = np.linspace(0, 2**64 - 2**12, count).astype(np.uint64)

    made = sketch([Piece(spread, np.empty(0, np.uint64))])

    assert made.halvings == halvings
    assert len(made.shingles) <= sketching.KEPT


def test_sides_of_different_size_are_compared_on_the_same_range():
    sketcher = Sketcher()
    reference, current = large(1, shared=80, own=0), large(1, shared=20, own=0)

    shares = compare(whole(sketcher, reference), whole(sketcher, current))

    assert shares.unseen_shingles == 0
    assert whole(sketcher, reference).halvings > whole(sketcher, current).halvings


def test_pieces_of_documents_make_the_sketch_of_the_whole():
    documents = {"a.md": [prose(1), prose(2)], "b.md": [prose(3)]}
    sketcher = Sketcher()

    parts = sketch(sketcher.pieces(corpus(documents)).values())

    entire = sketch([sketcher.piece(corpus(documents))])
    assert np.array_equal(parts.shingles, entire.shingles)
    assert np.array_equal(parts.texts, entire.texts)
    assert parts.chunks == 3
