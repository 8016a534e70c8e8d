"""What counts as new in a chunk, and which new text comes first."""

import pytest

from training.examples.chunks import Chunk
from training.examples.new_text import marked, most_novel

OLD = (
    "The relay opens for twenty seconds after the red lamp is lit.\n"
    "Nobody may open the lid while the relay is open, and the lamp shows it.\n"
    "A spare cable lies in the box under the stairs for whoever needs it."
)
NEW = "Since this spring the relay also reports every opening to the office by radio."


def chunk(text: str, uri: str = "a.md", *, fresh: bool = True) -> Chunk:
    return Chunk(uri, "A", ("A",), text, f"{uri} {text}", "1", fresh)


def test_only_the_lines_that_the_reference_lacks_are_news():
    (told,) = marked([chunk(f"{OLD}\n{NEW}")], [OLD])

    assert told.fresh
    assert told.news == NEW


def test_a_paragraph_that_was_wrapped_anew_is_no_news():
    words = OLD.split()
    wrapped = "\n".join(" ".join(words[at : at + 9]) for at in range(0, len(words), 9))

    told, new = marked([chunk(wrapped), chunk(NEW)], [OLD])

    assert (told.fresh, told.edited, told.news) == (False, True, "")
    assert new.fresh


def test_an_old_line_in_another_document_is_still_old():
    (told, _) = marked([chunk(f"{OLD}\n{NEW}"), chunk(NEW, "b.md")], ["Something else.", OLD])

    assert told.news == NEW


@pytest.mark.parametrize(("words", "fresh"), [(12, True), (11, False)], ids=["enough", "too-few"])
def test_a_few_new_words_make_no_new_text(words: int, *, fresh: bool):
    line = " ".join(f"word{n}" for n in range(words))

    told, _ = marked([chunk(f"{OLD}\n{line}"), chunk(NEW, "b.md")], [OLD])

    assert (told.fresh, told.edited) == (fresh, not fresh)


def test_where_all_that_is_new_is_too_little_it_counts_all_the_same():
    told = marked([chunk(f"{OLD}\nThree new words.")], [OLD])

    assert [each.fresh for each in told] == [True]


def test_what_is_in_the_reference_as_it_is_stays_old():
    old, _ = marked([chunk(OLD, fresh=False), chunk(NEW, "b.md")], [OLD])

    assert (old.fresh, old.edited, old.news) == (False, False, "")


def test_text_that_tells_what_other_documents_tell_too_comes_first():
    """Two documents say "radio", one says "zebra": what only one says helps with no other."""
    alone = chunk("zebra zebra stripes and many other words that nobody else says", "a.md")
    shared = chunk("the radio reports every opening to the office", "b.md")
    also = chunk("every opening is heard on the radio", "c.md")

    order = [each.uri for each in most_novel([alone, shared, also], [])]

    assert order[-1] == "a.md"


def test_what_was_told_is_worth_less_the_second_time():
    """Two say the same; the third, shorter on its own, tells something else: it comes second."""
    texts = {
        "a.md": "radio reports opening office radio reports",
        "b.md": "radio reports opening office radio reports",
        "c.md": "winter timetable begins",
        "d.md": "winter timetable begins",
    }

    order = [each.uri for each in most_novel([chunk(t, u) for u, t in texts.items()], [])]

    assert order[:2] == ["a.md", "c.md"]


def test_words_of_the_reference_are_worth_nothing():
    known, new = (
        chunk("radio reports opening", "a.md"),
        chunk("winter timetable begins", "c.md"),
    )
    again = [chunk(each.text, f"{each.uri}2") for each in (known, new)]

    order = [each.uri for each in most_novel([known, new, *again], ["radio reports opening"])]

    assert order[0] == "c.md"


def test_every_chunk_comes_once():
    chunks = [chunk(f"words of number {n}", f"{n}.md") for n in range(20)]

    assert sorted(each.uri for each in most_novel(chunks, [])) == sorted(c.uri for c in chunks)
