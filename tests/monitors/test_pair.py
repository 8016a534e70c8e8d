"""What a comparison reads: the outline of all, the text of what differs, a sample of the rest."""

import pytest

from monitors.pair import Outline, differ, pair_of_tables
from monitors.records import ChangeKind
from tests.monitors.builders import chunk_table, pair, prose

OLD = {
    "edited.md": ["one", "two"],
    "gone.md": ["three"],
    "here.md": ["four"],
    "same.md": ["five", "six"],
}
NEW = {
    "edited.md": ["one", "two and a half"],
    "there.md": ["four"],
    "same.md": ["five", "six"],
    "new.md": ["seven"],
}


def test_only_documents_that_differ_are_read():
    difference = differ(Outline.of_table(chunk_table(OLD)), Outline.of_table(chunk_table(NEW)))

    assert difference.kinds == {
        "edited.md": ChangeKind.EDITED,
        "gone.md": ChangeKind.REMOVED,
        "there.md": ChangeKind.MOVED,
        "new.md": ChangeKind.NEW,
    }
    assert difference.before == ("edited.md", "gone.md")
    assert difference.now == ("edited.md", "new.md")
    assert difference.sampled == ("same.md",)


def test_a_pair_holds_the_texts_that_only_one_side_has():
    found = pair(OLD, NEW)

    assert [found.current.texts[at] for at in found.fresh] == ["two and a half", "seven"]
    assert [found.reference.texts[at] for at in found.gone] == ["two", "three"]


def test_a_text_that_stands_twice_is_fresh_once():
    found = pair({"a.md": ["old"]}, {"a.md": ["new", "new"], "b.md": ["new"]})

    assert len(found.fresh) == 1


def test_sizes_are_those_of_the_whole_corpora():
    found = pair(OLD, NEW)

    assert (found.reference_documents, found.current_documents) == (4, 4)
    assert (found.reference_chunks, found.current_chunks) == (6, 6)


def outline_of(documents: int, *, chunks: int) -> Outline:
    corpus = {
        f"{at}.md": [prose(100 * at + n, 5) for n in range(chunks)] for at in range(documents)
    }
    return Outline.of_table(chunk_table(corpus))


@pytest.mark.parametrize(
    ("documents", "chunks", "room", "drawn"),
    [
        (20, 2, 100, 20),
        (300, 2, 300, 150),
        (300, 2, 100, 100),
        (300, 2, 200, 100),
        (300, 2, 202, 101),
    ],
    ids=["all", "by-chunks", "by-documents", "exactly-both", "one-more"],
)
def test_the_sample_holds_enough_chunks_and_enough_documents(
    documents: int, chunks: int, room: int, drawn: int
):
    corpus = outline_of(documents, chunks=chunks)

    assert len(differ(corpus, corpus, sampled=room).sampled) == drawn


@pytest.mark.parametrize(("chunks", "drawn"), [(10, 1), (11, 0)])
def test_a_document_with_more_than_a_fifth_of_the_sample_is_passed_over(chunks: int, drawn: int):
    corpus = outline_of(1, chunks=chunks)

    assert len(differ(corpus, corpus, sampled=50).sampled) == drawn


def test_the_sample_is_the_same_for_the_same_documents():
    corpus = {f"{at}.md": [prose(at)] for at in range(50)}
    outline = Outline.of_table(chunk_table(corpus))
    longer = Outline.of_table(chunk_table(corpus | {"new.md": ["new"]}))

    first, second = (differ(outline, now, sampled=10).sampled for now in (outline, longer))

    assert first == second


def test_what_is_left_out_counts_as_unchanged():
    left = pair(OLD, NEW).without({"new.md", "gone.md"})

    assert set(left.kinds) == {"edited.md", "there.md"}
    assert [left.current.texts[at] for at in left.fresh] == ["two and a half"]
    assert [left.reference.texts[at] for at in left.gone] == ["two"]
    assert left.current_chunks == 6


def test_two_empty_corpora_make_a_pair():
    empty = chunk_table({})

    found = pair_of_tables(empty, empty)

    assert found.fresh == found.gone == ()
    assert found.kinds == {}
