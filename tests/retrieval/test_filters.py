from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lancedb.table import LanceTable

from retrieval.filters import MAX_VALUES, Filters, pattern, where
from tests.retrieval.tables import Row, table_of

HOSTILE = [
    "x' OR '1'='1",
    "'; DELETE FROM docs --",
    "50%_off.md",
    "back\\slash.md",
    "trailing\\",
    "née 😀\nnew line.md",
    'double"quote`tick.md',
    "a/[x]{2}(y)|^$*+?.md",
    "nul\x00inside.md",
    "-- comment /* and */ more",
    "$1 :name ? @p",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    rows = [Row(uri=name, headings=(name,), media_type=name) for name in HOSTILE]
    return table_of(tmp_path_factory.mktemp("hostile"), rows)


def uris(table: LanceTable, filters: Filters) -> set[str]:
    found = table.search().where(where(filters) or "true").select(["uri"]).limit(None).to_list()
    return {row["uri"] for row in found}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_finds_its_own_row_and_no_other(hostile, name):
    assert uris(hostile, Filters(media_types=(name,))) == {name}
    assert uris(hostile, Filters(heading=name)) == {name}
    assert name in uris(hostile, Filters(uris=(name,)))


@pytest.mark.parametrize("field", ["media_types", "trusts", "sources", "uris"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_that_no_row_has_finds_nothing(hostile, name, field):
    values: dict[str, Any] = {field: (f"zz{name}zz",)}
    filters = Filters(**values)

    assert uris(hostile, filters) == set()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_flag_leaves_out_nothing(hostile, name):
    assert uris(hostile, Filters(without_flags=(name,))) == set(HOSTILE)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda t: t not in HOSTILE)
)
def test_any_text_is_a_value_and_never_part_of_the_filter(hostile, text):
    assert uris(hostile, Filters(media_types=(text,))) == set()
    uris(hostile, Filters(uris=(text,), sources=(text,), heading=text, without_flags=(text,)))


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        pytest.param("*.md", {"a.md"}, id="stays-in-the-folder"),
        pytest.param("**/*.md", {"a.md", "docs/b.md", "docs/x/c.md"}, id="crosses-folders"),
        pytest.param("docs/*", {"docs/b.md", "docs/d.rst"}, id="one-folder"),
        pytest.param("docs/", {"docs/b.md", "docs/x/c.md", "docs/d.rst"}, id="all-below"),
        pytest.param("docs/**/c.md", {"docs/x/c.md"}, id="somewhere-below"),
        pytest.param("docs/?.md", {"docs/b.md"}, id="one-character"),
        pytest.param("docs", set(), id="a-folder-without-its-slash-is-a-file"),
        pytest.param("ocs/b.md", set(), id="the-whole-uri-and-not-a-part"),
        pytest.param("DOCS/b.md", set(), id="case-counts"),
        pytest.param("docs.b.md", set(), id="a-dot-is-a-dot"),
    ],
)
def test_a_uri_pattern_reads_as_in_a_shell(tmp_path, glob, found):
    table = table_of(
        tmp_path, [Row(uri) for uri in ("a.md", "docs/b.md", "docs/x/c.md", "docs/d.rst")]
    )

    assert uris(table, Filters(uris=(glob,))) == found


def test_values_of_a_field_are_alternatives_and_fields_add_up(tmp_path):
    table = table_of(
        tmp_path,
        [
            Row("web:a", trust="trusted", flags=("secret",)),
            Row("git:b", trust="untrusted"),
            Row("mail:c", trust="trusted"),
            Row("webmail:d", trust="trusted"),
        ],
    )

    assert uris(table, Filters(sources=("web", "git"))) == {"web:a", "git:b"}
    assert uris(table, Filters(sources=("web", "git"), trusts=("trusted",))) == {"web:a"}
    assert uris(table, Filters(sources=("web",), without_flags=("secret",))) == set()


def test_modified_since_is_included_and_until_is_not(tmp_path):
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    table = table_of(tmp_path, [Row("none"), *(Row(f"{d:%d}", modified_at=d) for d in days)])

    assert uris(table, Filters(modified_since=days[1])) == {"02", "03"}
    assert uris(table, Filters(modified_until=days[1])) == {"01"}
    assert uris(table, Filters(modified_since=days[0], modified_until=days[2])) == {"01", "02"}


def test_a_heading_is_found_by_a_part_in_either_case_anywhere_in_the_trail(tmp_path):
    table = table_of(tmp_path, [Row("a", headings=("Guide", "Install")), Row("b", headings=())])

    assert uris(table, Filters(heading="gUID")) == {"a"}
    assert uris(table, Filters(heading="stall")) == {"a"}
    assert uris(table, Filters(heading="GuideInstall")) == set()


def test_texts_that_are_not_wanted_again_are_left_out(tmp_path):
    table = table_of(tmp_path, [Row("a", text="one"), Row("b", text="two")])
    digest = table.search().where("uri = 'a'").to_list()[0]["digest"]

    clause = where(Filters(), without_digests=[digest])

    assert [row["uri"] for row in table.search().where(clause).to_list()] == ["b"]


def test_filters_that_ask_for_nothing_are_no_filter():
    assert where(Filters()) is None


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        Filters(modified_since=datetime(2024, 1, 1))  # noqa: DTZ001 that is the point


@pytest.mark.parametrize(("count", "refused"), [(MAX_VALUES, False), (MAX_VALUES + 1, True)])
def test_a_filter_of_too_many_values_is_refused(count, refused):
    values = tuple(map(str, range(count)))

    if refused:
        with pytest.raises(ValueError, match="the limit is 1,000"):
            Filters(uris=values)
    else:
        assert Filters(uris=values).uris == values


def test_the_longest_filter_is_still_read(hostile):
    assert uris(hostile, Filters(media_types=tuple(f"'{at}" for at in range(MAX_VALUES)))) == set()
    assert uris(hostile, Filters(uris=tuple(f"a/**/{at}*" for at in range(MAX_VALUES)))) == set()


def test_a_pattern_anchors_the_whole_uri():
    assert pattern("a.md") == r"\A(?s:a\.md)\z"
