"""Rows of a real PostgreSQL server as a source."""

import traceback
from typing import Any

import pytest

from retrieval.errors import SourceUnreachableError
from retrieval.records import Completeness, Entry, RefusalCode
from retrieval.sources.sql import SqlSource
from tests.retrieval.postgres import Postgres, postgres
from tests.retrieval.test_sql_source import ALL, body_of, codes, refusal_of, texts

__all__ = ["postgres"]


def server_source(url: str, query: str = ALL, **options: Any) -> SqlSource:
    return SqlSource(url, query=query, key="id", text="body", **options)


TABLE = "CREATE TABLE notes (id bigint PRIMARY KEY, body text, at timestamptz, raw bytea)"
ROWS = (
    "INSERT INTO notes SELECT i, 'text ' || i, '2026-01-02 03:04:05.678901Z',"
    " '\\xff00' FROM generate_series(1, 3) i"
)


def test_rows_of_a_server_are_documents(postgres: Postgres):
    source = server_source(postgres.create_database("plain", TABLE, ROWS), modified="at")

    listing = source.list_documents()

    assert [(entry.uri, entry.size) for entry in listing.entries] == [("1", 6), ("2", 6), ("3", 6)]
    assert listing.entries[0].modified_at is not None
    assert listing.entries[0].modified_at.microsecond == 678901
    assert texts(source) == {"1": b"text 1", "2": b"text 2", "3": b"text 3"}
    assert body_of(source, listing.entries[0]).stamp == listing.entries[0].stamp
    assert listing.identity == f"postgresql://127.0.0.1:{postgres.port}/plain"
    assert source.fingerprint() is None


def test_bytes_of_a_server_are_handed_over_as_they_are(postgres: Postgres):
    url = postgres.create_database("raw", TABLE, ROWS)
    source = SqlSource(url, query=ALL, key="id", text="raw")

    assert set(texts(source).values()) == {b"\xff\x00"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uuid", "6f1c9f2e-0d3c-4b7e-9a57-6b1f0d1f2a3b"),
        ("char(8)", "ab"),
        ("numeric", "1.50"),
        ("smallint", "7"),
        ("date", "2026-01-02"),
        ("timestamp", "2026-01-02 03:04:05"),
        ("bytea", "caf"),
        ("boolean", "true"),
        ("mood", "fine"),
        ("text", "it's"),
    ],
)
def test_a_key_of_any_type_is_found_again(postgres: Postgres, kind: str, value: str):
    url = postgres.create_database(
        "keys",
        "CREATE TYPE mood AS ENUM ('fine', 'bad')",
        f"CREATE TABLE notes (id {kind}, body text)",
    )
    with postgres.connect("keys") as connection:
        connection.execute("INSERT INTO notes VALUES (%s, 'found')", [value])

    assert list(texts(server_source(url)).values()) == [b"found"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id, 'x' AS body) AS x; COMMIT; DROP TABLE notes; --",
        "SELECT nextval('numbers') AS id, 'x' AS body",
        "SELECT set_config('transaction_read_only', 'off', false) AS id, 'x' AS body",
        "DELETE FROM notes RETURNING id, body",
    ],
)
def test_a_query_to_a_server_cannot_write(postgres: Postgres, query: str):
    url = postgres.create_database("readonly", TABLE, ROWS, "CREATE SEQUENCE numbers")

    with pytest.raises(SourceUnreachableError):
        server_source(url, query).list_documents()

    assert len(texts(server_source(url))) == 3


def test_a_password_is_in_no_message(postgres: Postgres):
    url = postgres.url("postgres", password="wr0ng:p@ss/word")  # noqa: S106 made up
    with pytest.raises(SourceUnreachableError, match="password authentication failed") as error:
        server_source(url).list_documents()

    written = "".join(traceback.format_exception(error.value))
    assert "wr0ng" not in written


def test_a_server_that_is_not_there_is_unreachable(postgres: Postgres):
    url = postgres.url("postgres").replace(str(postgres.port), "1")

    with pytest.raises(SourceUnreachableError, match="refused"):
        server_source(url).list_documents()


def test_a_statement_of_a_server_is_stopped_in_time(postgres: Postgres):
    url = postgres.create_database("slow", TABLE, ROWS)
    source = server_source(url, "SELECT id, body, pg_sleep(20) FROM notes", timeout_seconds=0.3)

    with pytest.raises(SourceUnreachableError, match="statement timeout"):
        source.list_documents()


def test_a_listing_that_is_stopped_in_the_middle_is_partial(postgres: Postgres):
    url = postgres.create_database("middle")
    query = (
        "SELECT i AS id, 'x' || CASE WHEN i > 1000 THEN pg_sleep(20)::text ELSE '' END AS body"
        " FROM generate_series(1, 2000) i"
    )

    listing = server_source(url, query, timeout_seconds=0.5).list_documents()

    assert listing.completeness is Completeness.PARTIAL
    assert len(listing.entries) == 1000
    assert "broke off after 1,000 rows: canceling statement" in listing.reason


def test_a_connection_that_drops_in_the_middle_makes_the_listing_partial(postgres: Postgres):
    url = postgres.create_database("drop")
    query = (
        "SELECT i AS id, 'x' || CASE WHEN i = 1001 THEN"
        " pg_terminate_backend(pg_backend_pid())::text ELSE '' END AS body"
        " FROM generate_series(1, 2000) i"
    )
    source = server_source(url, query)

    listing = source.list_documents()

    assert listing.completeness is Completeness.PARTIAL
    assert len(listing.entries) == 1000
    assert source.list_documents().completeness is Completeness.PARTIAL  # it connects anew


def test_a_server_lost_before_a_row_is_read_is_an_unreachable_source(postgres: Postgres):
    url = postgres.create_database("lost", TABLE, ROWS)
    source = server_source(url)
    [entry, *_] = source.list_documents().entries
    with postgres.connect() as connection:
        connection.execute("DROP DATABASE lost WITH (FORCE)")

    with pytest.raises(SourceUnreachableError, match='database "lost" does not exist'):
        source.read(entry)


def test_a_text_too_long_is_not_sent_by_the_server(postgres: Postgres):
    url = postgres.create_database("long", TABLE, "INSERT INTO notes VALUES (1, repeat('é', 50))")
    source = server_source(url, max_bytes=99)

    assert codes(source) == [("1", RefusalCode.TOO_BIG)]
    assert refusal_of(source, Entry("1", None)) is RefusalCode.TOO_BIG


def test_text_that_is_not_unicode_is_told_by_the_server(postgres: Postgres):
    insert = r"INSERT INTO notes VALUES (1, convert_from('\xff41', 'SQL_ASCII'))"
    url = postgres.create_database("ascii", TABLE, insert, encoding="SQL_ASCII")

    with pytest.raises(SourceUnreachableError, match="invalid byte sequence"):
        server_source(url).list_documents()


def test_text_of_another_encoding_is_converted(postgres: Postgres):
    url = postgres.create_database("latin", TABLE, encoding="LATIN1")
    with postgres.connect("latin") as connection:
        connection.execute("INSERT INTO notes VALUES (1, %s)", ["café"])

    assert texts(server_source(url)) == {"1": "café".encode()}
