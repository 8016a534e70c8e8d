import logging
import shutil
from datetime import UTC, datetime

import lancedb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import BadVectorsError
from retrieval.filters import Filters
from retrieval.table_indices import build_indices
from retrieval.table_search import MAX_LIMIT, Query, find, terms
from tests.retrieval.tables import Row, arrow, many, table_of, unit

GUIDE = [
    Row("a.md", text="Install the package with pip.", vector=(1, 0, 0)),
    Row("b.md", text="The cache keeps what was read.", vector=(0, 1, 0)),
    Row("c.md", text="Flush the zanzibar buffer.", vector=(0, 0, 1)),
]


@pytest.fixture
def guide(tmp_path):
    table = table_of(tmp_path, GUIDE)
    build_indices(table)
    return table


def uris(found):
    return [each.uri for each in found]


def test_the_nearest_vector_and_the_rare_word_are_both_found(guide):
    found = find(guide, Query("zanzibar", unit(1, 0.1, 0), limit=2))

    assert set(uris(found)) == {"a.md", "c.md"}
    ways = {each.uri: each.found_by for each in found}
    assert ways == {"a.md": ("vector",), "c.md": ("vector", "text")}


def test_similarity_is_the_cosine_however_a_chunk_was_found(guide):
    found = find(guide, Query("zanzibar", unit(3, 4, 0)))

    cosines = {each.uri: each.similarity for each in found}
    assert cosines == pytest.approx({"a.md": 0.6, "b.md": 0.8, "c.md": 0.0}, abs=1e-6)


def test_the_length_of_the_question_s_vector_does_not_matter(guide):
    short, long = (
        find(guide, Query("cache", np.float32(factor) * unit(1, 2))) for factor in (0.01, 100.0)
    )

    assert uris(short) == uris(long)
    assert [x.similarity for x in short] == pytest.approx([x.similarity for x in long])


def test_a_hit_carries_what_the_chunk_says(tmp_path):
    table = table_of(tmp_path, [Row("a.md", text="words", headings=("Guide", "One"), title="T")])

    (found,) = find(table, Query("words", unit(1)))

    assert (found.title, found.headings, found.text) == ("T", ("Guide", "One"), "words")
    assert found.chunk == table.to_arrow()["id"][0].as_py()


def test_words_that_stand_together_come_before_the_same_words_apart(tmp_path):
    padding = " and" * 30
    apart = Row("a.md", text=f"flush{padding} cache")
    table = table_of(tmp_path, [apart, Row("b.md", text=f"flush cache{padding}"), Row("c.md")])
    build_indices(table)

    assert uris(find(table, Query("flush cache", unit(1)))) == ["b.md", "a.md", "c.md"]


def test_what_full_text_had_no_room_for_is_not_taken_for_a_text_without_a_word(tmp_path):
    words = "alpha beta gamma delta epsilon zeta"
    listed = [Row(f"far/{n}", text=words, vector=(0, 1), headings=(str(n),)) for n in range(60)]
    longer = f"{words}{' and' * 60}"
    near = [Row(f"near/{n}", text=longer, vector=(1, 0), headings=(str(n),)) for n in range(60)]
    others = [Row(f"other/{n}", text=f"{n}", vector=(-1,)) for n in range(600)]
    table = table_of(tmp_path, [*listed, *near, *others])
    build_indices(table)

    found = find(table, Query(words, unit(1, 0.5)))

    assert {(each.uri[:4], each.found_by) for each in found} == {("near", ("vector",))}


def test_a_word_in_another_form_counts_though_it_is_not_as_it_was_asked(tmp_path):
    table = table_of(tmp_path, [Row("a.md", text="Others"), Row("b.md", text="Caches are kept")])
    build_indices(table)

    assert uris(find(table, Query("caching", unit(1)))) == ["b.md", "a.md"]


def test_equally_good_hits_are_ordered_by_uri(tmp_path):
    names = ["d.md", "b.md", "a.md", "c.md"]
    table = table_of(tmp_path, [Row(name, text=f"text {name[0]}") for name in names])
    build_indices(table)

    assert uris(find(table, Query("text", unit(1)))) == sorted(names)


def test_rows_that_no_index_knows_yet_are_found(guide):
    guide.add(arrow([Row("new.md", text="A quokka appears.", vector=(-1, 0, 0))]))

    (first, *_) = find(guide, Query("quokka", unit(0, 0, 0, 1), limit=2))

    assert (first.uri, first.found_by) == ("new.md", ("vector", "text"))


def test_without_any_index_words_are_found_too(tmp_path, caplog):
    table = table_of(tmp_path, GUIDE)

    found = find(table, Query("zanzibar", unit(1)))

    assert {each.uri: each.found_by for each in found}["c.md"] == ("vector", "text")
    assert caplog.records == []


@pytest.mark.parametrize("column", ["text", "vector"])
def test_a_broken_index_is_a_warning_and_every_other_way_still_answers(tmp_path, caplog, column):
    table = table_of(tmp_path, many(400))
    build_indices(table, vector_from=1)
    uuid = next(i.index_uuid for i in table.list_indices() if i.columns == [column])
    shutil.rmtree(tmp_path / "docs.lance" / "_indices" / uuid)
    reopened = lancedb.connect(tmp_path).open_table("docs")

    with caplog.at_level(logging.WARNING):
        found = find(reopened, Query("word7", unit(1, 2)))

    assert len(found) == 5
    assert f"The index on {column!r} cannot be read" in caplog.text


def test_a_filter_acts_before_the_nearest_are_chosen(tmp_path):
    near = [Row(f"near/{at}.md", text=f"near {at}", vector=(1, at / 1e4)) for at in range(200)]
    table = table_of(tmp_path, [*near, Row("far/x.md", text="far", vector=(-1,))])
    build_indices(table)

    assert uris(find(table, Query("near", unit(1), filters=Filters(uris=("far/",))))) == [
        "far/x.md"
    ]


def test_a_filter_that_nothing_passes_finds_nothing(guide):
    later = Filters(modified_since=datetime(2024, 1, 1, tzinfo=UTC))

    assert find(guide, Query("cache", unit(1), filters=later)) == ()


def test_an_empty_table_finds_nothing(tmp_path):
    table = table_of(tmp_path, [])

    assert find(table, Query("anything", unit(1))) == ()


def test_copies_of_one_text_are_one_hit_that_names_the_others(tmp_path):
    copies = [Row(f"copy/{at:04}.md", text="the same words") for at in reversed(range(300))]
    others = [Row(f"other/{at}.md", text=f"words of {at}", vector=(1, at + 1)) for at in range(4)]
    table = table_of(tmp_path, [*copies, *others])
    build_indices(table)

    found = find(table, Query("same words", unit(1)))

    assert uris(found)[0] == "copy/0000.md"
    assert {uri.split("/")[0] for uri in uris(found)[1:]} == {"other"}
    assert len(found) == 5
    assert found[0].also == tuple(f"copy/{at:04}.md" for at in range(1, 21))
    assert all(each.also == () for each in found[1:])


def test_copies_that_a_filter_leaves_out_are_not_named(tmp_path):
    table = table_of(tmp_path, [Row(f"{part}/{n}.md", text="same") for part in "ab" for n in "12"])

    (found,) = find(table, Query("same", unit(1), filters=Filters(uris=("b/",))))

    assert (found.uri, found.also) == ("b/1.md", ("b/2.md",))


def test_one_text_twice_in_a_document_names_no_other_document(tmp_path):
    twice = arrow([Row("a.md", text="same"), Row("a.md", text="same")]).to_pylist()
    twice[1]["id"] = "0" * 64
    table = table_of(tmp_path, [])
    table.add(twice)

    (found,) = find(table, Query("same", unit(1)))

    assert (found.uri, found.chunk, found.also) == ("a.md", "0" * 64, ())


HOSTILE = {
    "empty": "",
    "nul": "\x00",
    "only-stop-words": "the of and not",
    "quotes": '"zanzibar',
    "syntax": "+cache -zanzibar title:x (a OR b)* ~2 ^5 [a TO b] {} \\ / && || !",
    "one-megabyte": "word " * 200_000,
    "one-long-word": "a" * 1_000_000,
    "a-hundred-thousand-words": " ".join(map(str, range(100_000))),
    "emoji": "😀 👩‍👩‍👧",
    "lone-surrogate": "\ud800 cache",
    "bidi": "\u202ecache",
    "chinese": "缓存保存读取的内容",
    "json": '{"match": {"column": "uri", "terms": "x"}}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_question_makes_a_search_fail(guide, caplog, text):
    assert set(uris(find(guide, Query(text, unit(1))))) == {"a.md", "b.md", "c.md"}
    assert caplog.records == []


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text())
def test_any_question_at_all_finds_every_chunk_of_a_small_table(guide, text):
    assert len(find(guide, Query(text, unit(1)))) == len(GUIDE)


def test_a_minus_or_a_quote_excludes_nothing(guide):
    plain, signed = (
        find(guide, Query(text, unit(0, 0, 0, 1)))
        for text in ("zanzibar cache", '-"zanzibar" +cache')
    )

    assert plain == signed


def test_a_question_is_read_up_to_64_different_words():
    assert terms(" ".join(f"w{at} w{at}" for at in range(100))).split() == [
        f"w{at}" for at in range(64)
    ]


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_out_of_reach_is_refused(limit):
    with pytest.raises(ValueError, match="1 to 1,000 can be found"):
        Query("text", unit(1), limit=limit)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_that_points_nowhere_is_refused(value):
    with pytest.raises(BadVectorsError, match="zero or not finite"):
        Query("text", np.full(8, value, np.float32))


@pytest.mark.parametrize("limit", [1, 60, MAX_LIMIT])
def test_as_many_hits_as_asked_for_are_found(tmp_path, limit):
    table = table_of(tmp_path, many(1_100))
    build_indices(table)

    assert len(find(table, Query("topic3", unit(1), limit=limit))) == limit


def test_a_pinned_table_answers_as_of_its_version(tmp_path):
    table = table_of(tmp_path, GUIDE)
    build_indices(table)
    before = table.version
    table.add(arrow([Row("new.md", text="A quokka appears.")]))
    pinned = lancedb.connect(tmp_path).open_table("docs")
    pinned.checkout(before)

    assert "new.md" not in uris(find(pinned, Query("quokka", unit(1))))
    assert "new.md" in uris(find(table, Query("quokka", unit(1))))
