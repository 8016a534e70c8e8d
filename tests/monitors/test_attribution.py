"""What is behind the drift: shares that add up to one, and the words that came and went."""

import pyarrow as pa
import pytest

from monitors import attribution
from monitors.attribution import ELSEWHERE, PARTS, WORDS, parts, words_moved
from monitors.pair import Pair, pair_of_tables
from monitors.records import Part, PartDrift, WordDrift
from monitors.signals import shingles
from tests.monitors.builders import chunk_table, prose


def pair(old: dict[str, list[str]], new: dict[str, list[str]]) -> Pair:
    return pair_of_tables(chunk_table(old), chunk_table(new))


def of(part: Part, found: Pair) -> dict[str, PartDrift]:
    every = parts(found, shingles.measure(found))
    return {each.name: each for each in every if each.part is part}


OLD = {f"docs/{n}.md": [prose(n), prose(n + 50)] for n in range(6)} | {"top.md": [prose(90)]}
NEW = OLD | {
    "docs/0.md": [OLD["docs/0.md"][0], prose(200)],
    "docs/1.md": [OLD["docs/1.md"][0] + " and one word more", OLD["docs/1.md"][1]],
    "api/new.md": [prose(300), prose(301)],
    "top.md": [prose(400)],
}


@pytest.mark.parametrize("part", list(Part))
def test_the_shares_of_each_way_add_up_to_one(part: Part):
    assert sum(each.share for each in of(part, pair(OLD, NEW)).values()) == pytest.approx(1.0)


def test_folders_carry_what_their_documents_carry():
    found = pair(OLD, NEW)

    folders = of(Part.FOLDER, found)
    documents = attribution.documents(found.kinds, shingles.measure(found))

    assert set(folders) == {"api/", "docs/", "./"}
    assert folders["docs/"].documents == 2
    assert folders["docs/"].share == pytest.approx(
        sum(each.share for each in documents if each.uri.startswith("docs/"))
    )


def test_the_kinds_of_change_are_told_apart():
    found = of(Part.CHANGE, pair(OLD, NEW))

    # Sixty words make some sixty runs of five: two documents' worth is new, two passages are.
    assert found["new documents"].documents == 1
    assert found["new passages in edited documents"].documents == 2
    assert found["edited passages"].documents == 1
    assert found["new documents"].share == pytest.approx(
        found["new passages in edited documents"].share, abs=0.05
    )
    assert found["edited passages"].share < 0.05


def sectioned(**texts: str) -> pa.Table:
    """Return the table of one document: a title, and a section for each text."""
    table = chunk_table({"a.md": list(texts.values())})
    trails = pa.array([["Title", name, "deeper"] for name in texts], pa.list_(pa.string()))
    return table.set_column(table.column_names.index("headings"), "headings", trails)


def test_a_section_is_a_document_and_its_outermost_heading_below_the_title():
    same = {"First": prose(1), "Third": prose(3)}
    old, new = sectioned(Second=prose(2), **same), sectioned(Second=prose(9), **same)

    assert list(of(Part.SECTION, pair_of_tables(old, new))) == ["a.md > Second"]


def test_a_document_with_one_section_stands_for_itself():
    old, new = sectioned(Only=prose(1)), sectioned(Only=prose(2))

    assert list(of(Part.SECTION, pair_of_tables(old, new))) == ["a.md"]


@pytest.mark.parametrize(
    ("folders", "named"),
    [pytest.param(PARTS, PARTS, id="as-many-as-are-named"),
     pytest.param(PARTS + 1, PARTS + 1, id="one-more")],
)  # fmt: skip
def test_what_is_left_stands_together(folders: int, named: int):
    new = {f"{n:02}/a.md": [prose(n)] for n in range(folders)}

    found = of(Part.FOLDER, pair({}, new))

    assert len(found) == named
    assert (ELSEWHERE in found) == (folders > PARTS)
    assert sum(each.documents for each in found.values()) == folders


def test_nothing_unseen_has_no_parts():
    found = pair(OLD, OLD)

    assert parts(found, shingles.measure(found)) == ()
    assert words_moved(found) == ((), ())


def test_a_word_comes_with_the_second_text_that_has_it():
    old = {"a.md": ["the plain old text", "another plain text"]}
    new = {"a.md": ["the plain old text with asyncio", "another plain text with asyncio twisted"]}

    came, went = words_moved(pair(old, new))

    assert came == (WordDrift("asyncio", 0, 2),)
    assert went == ()


def test_a_word_that_went_is_the_reverse():
    old = {"a.md": ["use tornado here", "use tornado there", "steady"]}
    new = {"a.md": ["use nothing here", "use something there", "steady"]}

    came, went = words_moved(pair(old, new))

    assert came == ()
    assert went == (WordDrift("tornado", 2, 0),)


@pytest.mark.parametrize(
    ("held", "came"),
    [pytest.param(1, True, id="three-times-as-many"), pytest.param(2, False, id="twice-as-many")],
)
def test_a_word_that_the_old_text_has_often_did_not_come(held: int, *, came: bool):
    # Two new texts have it: 1 becomes 3, 2 become 4.
    old = {f"{n}.md": [f"kept queue {n}x"] for n in range(held)} | {"z.md": ["one", "two"]}
    new = old | {"z.md": ["one queue", "two queue"]}

    assert (WordDrift("queue", held, held + 2) in words_moved(pair(old, new))[0]) == came


def test_numbers_and_common_words_do_not_come():
    new = {"a.md": ["because 2024 ab zebra", "because 2024 ab of zebra"]}

    assert [word.word for word in words_moved(pair({}, new))[0]] == ["zebra"]


def test_the_most_telling_words_come_first_and_no_more_than_the_limit():
    names = [f"name{n:02}x" for n in range(WORDS + 5)]
    texts = [" ".join(names) + f" {n}y" for n in range(2)] + ["winner one 8z", "winner two 9z"]
    texts[0] += " winner"

    came, _ = words_moved(pair({}, {"a.md": texts}))

    assert len(came) == WORDS
    assert came[0] == WordDrift("winner", 0, 3)
