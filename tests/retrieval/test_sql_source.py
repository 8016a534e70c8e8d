"""Rows of real SQLite files as a source."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
import tracemalloc
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, RefusalCode
from retrieval.sources import Source
from retrieval.sources.folder import path_from_uri
from retrieval.sources.sql import SqlSource

ALL = "SELECT * FROM notes"


def write(path: Path, *statements: str, rows: Iterable[tuple[Any, ...]] = ()) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.executemany("INSERT INTO notes VALUES (?, ?)", rows)
        connection.commit()


def source_of(path: Path, query: str = ALL, **options: Any) -> SqlSource:
    return SqlSource(f"sqlite:///{path}", query=query, key="id", text="body", **options)


def body_of(source: Source, entry: Entry) -> Body:
    body = source.read(entry)
    assert body is not None
    return body


def texts(source: Source) -> dict[str, bytes]:
    return {entry.uri: body_of(source, entry).data for entry in source.list_documents().entries}


def codes(source: Source) -> list[tuple[str, RefusalCode]]:
    return [(refusal.uri, refusal.code) for refusal in source.list_documents().refused]


def refusal_of(source: Source, entry: Entry) -> RefusalCode:
    with pytest.raises(DocumentRefusedError) as refused:
        source.read(entry)
    return refused.value.reason_code


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.db"
    write(path, "CREATE TABLE notes (id, body)")
    return path


def test_each_row_is_a_document_in_order_of_its_key(notes: Path):
    write(notes, rows=[("b", "two"), ("a/x", "éins"), (10, "ten")])
    source = source_of(notes)

    listing = source.list_documents()

    assert [(entry.uri, entry.size) for entry in listing.entries] == [
        ("10", 3),
        ("a/x", 5),
        ("b", 3),
    ]
    assert listing.completeness is Completeness.COMPLETE
    assert texts(source) == {"10": b"ten", "a/x": "éins".encode(), "b": b"two"}


def test_without_a_modified_column_the_stamp_is_the_digest_of_the_text(notes: Path):
    write(notes, rows=[("a", "one")])
    source = source_of(notes)

    [entry] = source.list_documents().entries

    assert entry.stamp == "sha256:" + hashlib.sha256(b"one").hexdigest()
    assert body_of(source, entry).stamp == entry.stamp
    assert source.read(entry, unless=entry.stamp) is None


def test_a_modified_column_is_the_stamp_and_the_time_shown(notes: Path):
    write(notes, rows=[("a", "one")])
    query = "SELECT id, body, '2026-01-02 03:04:05' AS at FROM notes"
    source = source_of(notes, query, modified="at")

    [entry] = source.list_documents().entries

    assert entry.stamp == "modified:2026-01-02 03:04:05:3"
    assert entry.modified_at is not None
    assert entry.modified_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert body_of(source, entry).stamp == entry.stamp


def test_a_modified_column_that_is_null_vouches_for_nothing(notes: Path):
    write(notes, rows=[("a", "one")])
    source = source_of(notes, "SELECT *, NULL AS at FROM notes", modified="at")

    [entry] = source.list_documents().entries

    assert entry.stamp is None


def test_a_row_edited_after_the_listing_is_read_with_its_new_stamp(notes: Path):
    write(notes, rows=[("a", "one")])
    source = source_of(notes)
    [entry] = source.list_documents().entries
    write(notes, "UPDATE notes SET body = 'two'")

    body = body_of(source, entry)

    assert body.data == b"two"
    assert body.stamp == "sha256:" + hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize(
    ("media_type", "text", "expected"),
    [
        ("text/plain", "body", b"A title\n\nbody"),
        ("text/markdown", "body", b"# A title\n\nbody"),
        ("text/markdown", "---\ntitle: own\n---\nbody", b"---\ntitle: own\n---\nbody"),
        ("text/html", "<p>body", b"<p>body"),
        ("text/plain", b"\xff\xfeb\0", b"\xff\xfeb\0"),
    ],
    ids=["plain", "markdown", "front-matter", "no-heading-known", "bytes"],
)
def test_a_title_is_put_before_the_text(
    notes: Path, media_type: str, text: str | bytes, expected: bytes
):
    write(notes, rows=[("a", text)])
    query = "SELECT *, 'A\ntitle' AS name FROM notes"
    source = source_of(notes, query, title="name", media_type=media_type)

    [entry] = source.list_documents().entries
    body = body_of(source, entry)

    assert (body.data, body.media_type) == (expected, media_type)
    assert body.stamp == entry.stamp


def test_null_empty_and_repeated_keys_are_refused_and_neither_twin_is_taken(notes: Path):
    rows = [("a", "1"), (None, "2"), ("b", "3"), ("a", "4"), ("", "5"), (7, "6"), ("7", "7")]
    write(notes, rows=[*rows, ("a", "8")])
    source = source_of(notes)

    assert [entry.uri for entry in source.list_documents().entries] == ["b"]
    assert codes(source) == [
        ("7", RefusalCode.KEY),
        ("a", RefusalCode.KEY),
        ("row 2", RefusalCode.KEY),
        ("row 5", RefusalCode.KEY),
    ]


def test_a_key_that_is_repeated_only_when_it_is_read_is_refused(notes: Path):
    write(notes, rows=[("a", "1")])
    source = source_of(notes)
    [entry] = source.list_documents().entries
    write(notes, rows=[("a", "2")])

    assert refusal_of(source, entry) is RefusalCode.KEY


def test_a_row_gone_since_the_listing_has_vanished(notes: Path):
    write(notes, rows=[("a", "1")])
    source = source_of(notes)
    [entry] = source.list_documents().entries
    write(notes, "DELETE FROM notes")

    assert refusal_of(source, entry) is RefusalCode.VANISHED


def test_a_text_that_is_null_is_empty(notes: Path):
    write(notes, rows=[("a", None)])

    assert codes(source_of(notes)) == [("a", RefusalCode.EMPTY)]


@pytest.mark.parametrize("modified", [None, "id"])
def test_a_text_over_the_limit_is_refused_and_never_transferred(notes: Path, modified: str | None):
    write(notes, "INSERT INTO notes VALUES ('huge', zeroblob(200000000)), ('text', 'éé')")
    write(notes, rows=[("at", "x" * 3), ("over", b"x" * 4)])
    source = source_of(notes, max_bytes=3, modified=modified)

    tracemalloc.start()
    listing = source.list_documents()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [entry.uri for entry in listing.entries] == ["at"]
    assert [(refusal.uri, refusal.reason) for refusal in listing.refused] == [
        ("huge", "it has 200,000,000 bytes; the limit is 3"),
        ("over", "it has 4 bytes; the limit is 3"),
        ("text", "it has 4 bytes; the limit is 3"),
    ]
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "key",
    ["a\nb", "tab\t", "\u202eevil", "100%41", "docs/", 'it\'s "quoted"; --', b"caf\xe9", 1.5, -3],
)
def test_any_key_comes_back_from_its_uri(notes: Path, key: object):
    write(notes, rows=[(key, "text")])
    source = source_of(notes)

    [entry] = source.list_documents().entries

    assert entry.uri.isprintable()
    assert not entry.uri.endswith("/")
    expected = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)
    assert path_from_uri(entry.uri) == expected
    assert body_of(source, entry).data == b"text"


def test_a_key_column_that_became_text_has_the_same_uris(notes: Path):
    write(notes, rows=[(1, "one")])
    source = source_of(notes)
    before = source.list_documents()
    write(notes, "UPDATE notes SET id = CAST(id AS TEXT)")

    assert source.list_documents().entries == before.entries
    assert texts(source) == {"1": b"one"}


def test_text_that_is_not_unicode_is_handed_over_as_it_is(notes: Path):
    write(notes, "INSERT INTO notes VALUES ('a', CAST(x'636166e9' AS TEXT))")

    assert texts(source_of(notes)) == {"a": b"caf\xe9"}


@pytest.mark.parametrize("ending", ["", " ;\n", " -- the end", " -- the end;\n;  "])
def test_colons_percents_comments_and_semicolons_of_a_query_are_its_own(notes: Path, ending: str):
    write(notes, rows=[("a", "x")])
    query = "SELECT id, ' :at %s 12:30 ?' || body AS body FROM notes" + ending  # noqa: S608

    assert texts(source_of(notes, query)) == {"a": b" :at %s 12:30 ?x"}


def test_a_column_name_is_quoted_and_never_sql(tmp_path: Path):
    path = tmp_path / "odd.db"
    write(path, 'CREATE TABLE notes (id, "body""; DROP")', rows=[("a", "x")])
    source = SqlSource(f"sqlite:///{path}", query=ALL, key="id", text='body"; DROP')

    assert texts(source) == {"a": b"x"}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1) AS x; DROP TABLE notes; --",
        "DELETE FROM notes RETURNING id, body",
        "WITH gone AS (SELECT 1) INSERT INTO notes VALUES (1, 2) RETURNING id, body",
        "SELECT load_extension('evil') AS id, 'x' AS body",
        "SELECT fts3_tokenizer('simple') AS id, 'x' AS body",
        "SELECT name AS id, 'x' AS body FROM pragma_database_list",
        "SELECT * FROM evil_view",
        "SELECT nothing AS id, 'x' AS body FROM notes",
        "SELECT * FROM missing",
        "not sql",
    ],
)
def test_a_query_can_only_select(notes: Path, query: str):
    write(notes, "CREATE VIEW evil_view AS SELECT load_extension('e') AS id, 'x' AS body")
    write(notes, rows=[("a", "x")])
    before = notes.read_bytes()

    with pytest.raises(SourceUnreachableError, match="cannot be read"):
        source_of(notes, query).list_documents()

    assert notes.read_bytes() == before


def test_a_missing_column_is_named(notes: Path):
    source = SqlSource(f"sqlite:///{notes}", query=ALL, key="id", text="boddy")

    with pytest.raises(SourceUnreachableError, match="no such column: boddy"):
        source.list_documents()


def test_a_missing_file_is_unreachable_and_not_created(tmp_path: Path):
    source = source_of(tmp_path / "nothing.db")

    with pytest.raises(SourceUnreachableError, match="unable to open"):
        source.list_documents()
    with pytest.raises(SourceUnreachableError, match="No such file"):
        source.fingerprint()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_unreachable(tmp_path: Path):
    (tmp_path / "text.db").write_text("This is not a database. " * 100)

    with pytest.raises(SourceUnreachableError, match="not a database"):
        source_of(tmp_path / "text.db").list_documents()


def test_damage_in_the_middle_makes_the_listing_partial(notes: Path):
    write(notes, rows=[(f"{at:04}", "x" * 400) for at in range(2000)])
    data = bytearray(notes.read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    notes.write_bytes(data)

    listing = source_of(notes).list_documents()

    assert listing.completeness is Completeness.PARTIAL
    assert 100 < len(listing.entries) < 2000
    assert "malformed" in listing.reason


def test_a_locked_database_is_unreachable_after_the_time_out(notes: Path):
    write(notes, rows=[("a", "x")])
    with closing(sqlite3.connect(notes)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(SourceUnreachableError, match="database is locked"):
            source_of(notes, timeout_seconds=0.1).list_documents()


def test_a_query_that_never_ends_is_stopped(notes: Path):
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT max(i) AS id, 'x' AS body FROM n"
    )

    with pytest.raises(SourceUnreachableError, match="interrupted"):
        source_of(notes, query, timeout_seconds=0.2).list_documents()


def test_a_row_that_takes_too_long_to_read_is_refused(notes: Path):
    write(notes, rows=[("a", "x")])
    source = source_of(notes, timeout_seconds=0.2)
    [entry] = source.list_documents().entries
    endless = (
        "CREATE VIEW notes AS SELECT id, (WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n) AS body FROM old"
    )
    with closing(sqlite3.connect(notes)) as writer:
        writer.execute("ALTER TABLE notes RENAME TO old")
        writer.execute(endless)

    assert refusal_of(source, entry) is RefusalCode.TIMEOUT


def test_memory_stays_flat_over_many_rows(tmp_path: Path):
    path = tmp_path / "many.db"
    filler = "x" * 2000
    write(
        path,
        "CREATE TABLE notes (id, body)",
        rows=((at, f"{at} {filler}") for at in range(200_000)),
    )
    # The most that a process ever held can only be told of a process of its own.
    script = (
        "import resource, sys; from retrieval.sources.sql import SqlSource\n"
        "def held(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "def source(query): return SqlSource(sys.argv[1], query=query, key='id', text='body')\n"
        "source('SELECT * FROM notes LIMIT 1').list_documents(); before = held()\n"
        "listing = source('SELECT * FROM notes').list_documents()\n"
        "print(len(listing.entries), held() - before)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=True,
    )

    documents, kilobytes = map(int, done.stdout.split())
    assert documents == 200_000
    assert kilobytes < 150_000  # the entries alone; the texts are 400 MB


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_fingerprint_changes_with_every_commit_and_with_nothing_else(notes: Path, journal: str):
    write(notes, f"PRAGMA journal_mode = {journal}")
    source = source_of(notes)
    with closing(sqlite3.connect(notes)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 3")  # the log starts anew again and again
        seen = []
        for at in range(50):
            writer.execute("INSERT INTO notes VALUES ('a', ?)", (at % 10,))
            writer.commit()
            if journal == "wal":  # as if all fell into one tick of the clock
                os.utime(f"{notes}-wal", (0, 0))
            seen.append(source.fingerprint())
        assert len(set(seen)) == 50

        source.list_documents()
        source.list_documents()

        assert source.fingerprint() == seen[-1]


def test_a_committed_row_of_a_write_ahead_log_is_seen(notes: Path):
    write(notes, "PRAGMA journal_mode = wal")
    with closing(sqlite3.connect(notes)) as writer:
        writer.execute("INSERT INTO notes VALUES ('a', 'x')")
        writer.commit()

        assert texts(source_of(notes)) == {"a": b"x"}


def test_a_write_ahead_log_that_a_crash_left_is_read_and_not_folded_in(notes: Path, tmp_path: Path):
    write(notes, "PRAGMA journal_mode = wal")
    left = tmp_path / "left.db"
    with closing(sqlite3.connect(notes)) as writer:
        writer.execute("INSERT INTO notes VALUES ('a', 'x')")
        writer.commit()
        for ending in ("", "-wal"):
            shutil.copy(f"{notes}{ending}", f"{left}{ending}")
    before = left.read_bytes()
    source = source_of(left)

    assert texts(source) == {"a": b"x"}
    source.close()
    assert left.read_bytes() == before


def test_the_identity_is_the_database_and_not_who_asks(notes: Path):
    listing = source_of(notes).list_documents()

    assert listing.identity == f"sqlite:///{notes}"


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "no address s3cret", ""]
)
def test_what_is_no_database_address_is_told_without_showing_it(url: str):
    with pytest.raises(ValueError, match=r"sqlite:////folder/file\.db") as error:
        SqlSource(url, query=ALL, key="id", text="body")
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(SourceUnreachableError, match="No driver for 'nosuch"):
        SqlSource("nosuch+driver://host/db", query=ALL, key="id", text="body")
