import logging

import pytest

from retrieval.filters import Filters
from retrieval.table_indices import build_indices, due, measured_recall
from retrieval.table_search import Query, find
from tests.retrieval.tables import Row, arrow, many, table_of, unit


def indexed(table):
    return {index.columns[0]: index.index_type for index in table.list_indices()}


@pytest.mark.parametrize(
    ("keys_from", "vector_from", "expected"),
    [
        pytest.param(401, 401, {"text"}, id="one-row-too-few"),
        pytest.param(400, 401, {"text", "id", "digest"}, id="keys-exactly-at-the-size"),
        pytest.param(401, 400, {"text", "vector"}, id="vectors-exactly-at-the-size"),
    ],
)
def test_an_index_is_built_from_the_size_where_it_pays(tmp_path, keys_from, vector_from, expected):
    table = table_of(tmp_path, many(400))

    built = build_indices(table, keys_from=keys_from, vector_from=vector_from)

    assert set(built.built) == set(indexed(table)) == expected
    assert built.failed == ()


def test_what_was_built_is_the_newest_version_and_counts_its_versions(tmp_path):
    table = table_of(tmp_path, many(400))
    before = table.version

    built = build_indices(table, keys_from=1, vector_from=1)

    assert built.versions == 4
    assert table.version == before + 4


def test_a_good_vector_index_stays_and_its_recall_is_told(tmp_path):
    table = table_of(tmp_path, many(2_000))

    built = build_indices(table, vector_from=1)

    assert built.recall is not None
    assert built.recall >= 0.95
    assert built.recall == measured_recall(table)


def test_an_index_that_finds_too_little_is_dropped_and_search_goes_on(tmp_path, caplog):
    table = table_of(tmp_path, many(400))

    with caplog.at_level(logging.WARNING):
        built = build_indices(table, vector_from=1, lowest_recall=1.01)

    assert "vector" not in indexed(table)
    assert built.failed == ("vector",)
    assert "every vector is compared" in caplog.text
    assert len(find(table, Query("topic1", unit(1)))) == 5


def test_an_index_that_cannot_be_built_is_a_warning(tmp_path, caplog):
    table = table_of(tmp_path, many(400))
    table.drop_columns(["digest"])

    with caplog.at_level(logging.WARNING):
        built = build_indices(table, keys_from=1)

    assert built.failed == ("digest",)
    assert "No index on 'digest' could be built" in caplog.text


def test_an_index_that_no_longer_pays_is_dropped(tmp_path):
    table = table_of(tmp_path, many(400))
    build_indices(table, keys_from=1, vector_from=1)

    build_indices(table)

    assert set(indexed(table)) == {"text"}


def test_recall_of_many_equal_vectors_is_by_distance(tmp_path):
    table = table_of(tmp_path, [Row(f"{at}.md", text=f"{at}") for at in range(600)])

    assert build_indices(table, vector_from=1).recall == 1.0


def test_an_empty_table_needs_no_index(tmp_path):
    table = table_of(tmp_path, [])

    assert due(table) == ()
    assert build_indices(table, keys_from=0, vector_from=1).failed == ()


def test_a_table_without_indices_says_which_are_due(tmp_path):
    table = table_of(tmp_path, many(400))

    assert due(table) == ("no index on text",)
    assert due(table, keys_from=1, vector_from=1) == (
        "no index on text",
        "no index on id",
        "no index on digest",
        "no index on vector",
    )


@pytest.mark.parametrize(
    ("added", "reasons"),
    [
        pytest.param(25, (), id="exactly-at-the-limit"),
        pytest.param(26, ("the index on text does not know 26 of 126 rows",), id="one-row-more"),
    ],
)
def test_an_index_is_due_once_it_misses_a_fifth_of_the_rows(tmp_path, added, reasons):
    table = table_of(tmp_path, many(100))
    build_indices(table)

    table.add(arrow([Row(f"new/{at}.md", text=f"new {at}") for at in range(added)]))

    assert due(table, stale_rows=0) == reasons


def test_a_few_rows_that_an_index_does_not_know_are_no_reason(tmp_path):
    table = table_of(tmp_path, many(100))
    build_indices(table)

    table.add(arrow([Row(f"new/{at}.md", text=f"new {at}") for at in range(60)]))

    assert due(table, stale_rows=60) == ()
    assert due(table, stale_rows=59) == ("the index on text does not know 60 of 160 rows",)


def test_an_index_that_was_given_up_is_not_tried_again_at_every_refresh(tmp_path):
    table = table_of(tmp_path, many(100))
    build_indices(table, vector_from=1_000)

    assert due(table, vector_from=100, thorough=False) == ()
    assert due(table, vector_from=100) == ("no index on vector",)


def test_without_full_text_an_index_is_due_at_once(tmp_path):
    table = table_of(tmp_path, many(10))

    assert due(table, thorough=False) == ("no index on text",)


def test_after_building_again_nothing_is_due_and_filters_still_hold(tmp_path):
    table = table_of(tmp_path, many(100))
    build_indices(table)
    table.add(arrow([Row(f"new/{at}.md", text=f"new {at}") for at in range(60)]))

    build_indices(table)

    assert due(table) == ()
    found = find(table, Query("new", unit(1), filters=Filters(uris=("new/",))))
    assert {each.uri.split("/")[0] for each in found} == {"new"}


def test_words_are_found_in_another_form_and_little_words_count(tmp_path):
    table = table_of(tmp_path, [Row("a", text="Caches are not flushed."), Row("b", text="Other")])
    build_indices(table)

    for question in ("caching", "NOT", "FLUSH"):
        found = find(table, Query(question, unit(1)))
        assert [each.uri for each in found if "text" in each.found_by] == ["a"], question


def test_words_of_a_language_without_spaces_are_found(tmp_path):
    table = table_of(tmp_path, [Row("zh", text="缓存保存读取的内容"), Row("en", text="The cache")])
    build_indices(table)

    found = find(table, Query("读取内容", unit(1)))

    assert [each.uri for each in found if "text" in each.found_by] == ["zh"]
