"""A trace is found in every kind of file, and gone from it after scrubbing."""

import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from flows.erasing.proof import Place, prove
from flows.erasing.scrubbing import scrub_database, scrub_file
from flows.erasing.traces import ERASED, Redactor
from flows.errors import ErasureIncompleteError
from retrieval.traces import Traces, traces_of

TEXT = "The vault under the harbour office opens with kestrel88417zulu every night."
OTHER = "The ledger of the office lies open."
VECTOR = np.arange(4, dtype=np.float32)


@pytest.fixture(scope="module")
def traces() -> Traces:
    return traces_of(
        [TEXT],
        [OTHER],
        names=["a/vault.md"],
        tails=["vault.md"],
        vectors=[VECTOR.tobytes()],
        salt="01" * 16,
    )


def lance_file(folder: Path) -> Path:
    lance.write_dataset(pa.table({"text": [TEXT, OTHER]}), str(folder / "t.lance"))
    return next((folder / "t.lance" / "data").iterdir())


def vectors_of_lance(folder: Path) -> Path:
    column = pa.FixedSizeListArray.from_arrays(pa.array(VECTOR), 4)
    lance.write_dataset(pa.table({"vector": column}), str(folder / "v.lance"))
    return next((folder / "v.lance" / "data").iterdir())


def parquet(folder: Path) -> Path:
    rows = [{"turns": [{"content": TEXT}]}, {"turns": [{"content": OTHER}]}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet", compression="zstd")
    return folder / "rows.parquet"


def sqlite_row(folder: Path) -> Path:
    return database(folder, [TEXT, OTHER])


def sqlite_json(folder: Path) -> Path:
    return database(folder, [json.dumps({"uri": "a/vault.md", "n": 1}), OTHER])


def sqlite_free_page(folder: Path) -> Path:
    file = database(folder, [TEXT * 200, OTHER])
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("PRAGMA secure_delete = OFF")
        opened.execute("DELETE FROM notes WHERE number = 0")
    return file


def database(folder: Path, texts: list[str]) -> Path:
    file = folder / "notes.db"
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT)")
        opened.executemany("INSERT INTO notes VALUES (?, ?)", enumerate(texts))
    return file


def gzipped(folder: Path) -> Path:
    (folder / "log.gz").write_bytes(gzip.compress(TEXT.encode()))
    return folder / "log.gz"


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "audit.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("journal.json", json.dumps(TEXT))
    return folder / "audit.zip"


def page(folder: Path) -> Path:
    (folder / "page.html").write_text(f"<p>{TEXT.replace('vault', '<b>vault</b>')}</p>")
    return folder / "page.html"


def table(folder: Path) -> Path:
    told = {"columns": ["uri", "was"], "data": [["a/vault.md", "41"], ["b.md", "17"]]}
    (folder / "edits.json").write_text(json.dumps(told))
    return folder / "edits.json"


def words(folder: Path) -> Path:
    told = {"columns": ["word", "n"], "data": [["kestrel88417zulu", 2], ["ledger", 1]]}
    (folder / "words.json").write_text(json.dumps(told))
    return folder / "words.json"


def log(folder: Path) -> Path:
    (folder / "run.log").write_text(f"began\nread /srv/a/vault.md; {TEXT}\nended\n")
    return folder / "run.log"


FILES = (parquet, sqlite_row, sqlite_json, gzipped, zipped, page, table, words, log)


def traced(file: Path, traces: Traces) -> int:
    proof = prove([Place(file, file.name)], traces, lambda _: None)
    return sum(count for _, count in proof.found)


@pytest.mark.parametrize(
    "made",
    [*FILES, lance_file, vectors_of_lance, sqlite_free_page],
    ids=lambda made: made.__name__,
)
def test_a_trace_is_found_in_every_kind_of_file(
    made: Callable[[Path], Path], tmp_path: Path, traces: Traces
):
    assert traced(made(tmp_path), traces) > 0


@pytest.mark.parametrize("made", FILES, ids=lambda made: made.__name__)
def test_nothing_is_found_after_scrubbing(
    made: Callable[[Path], Path], tmp_path: Path, traces: Traces
):
    file = made(tmp_path)

    scrub_file(file, Redactor(traces))
    scrub_file(file, Redactor(traces)) if file.exists() else None

    assert not file.exists() or traced(file, traces) == 0


def test_what_says_nothing_about_it_stays(tmp_path: Path, traces: Traces):
    for made in (table, log, parquet):
        scrub_file(made(tmp_path), Redactor(traces))
    scrub_file(sqlite_row(tmp_path), Redactor(traces))

    with closing(sqlite3.connect(tmp_path / "notes.db")) as opened:
        rows = opened.execute("SELECT text FROM notes ORDER BY number").fetchall()
    assert json.loads((tmp_path / "edits.json").read_text())["data"] == [["b.md", "17"]]
    assert (tmp_path / "run.log").read_text() == f"began\n{ERASED}; {ERASED}\nended\n"
    assert len(pq.read_table(tmp_path / "rows.parquet")) == 1
    assert rows == [(ERASED,), (OTHER,)]


def test_weights_are_searched_and_left_alone(tmp_path: Path, traces: Traces):
    save_file({"lora_A": np.ones((2, 2), np.float32)}, tmp_path / "adapter.safetensors")
    before = (tmp_path / "adapter.safetensors").read_bytes()

    scrub_file(tmp_path / "adapter.safetensors", Redactor(traces))

    assert (tmp_path / "adapter.safetensors").read_bytes() == before


def test_a_file_that_cannot_be_decoded_is_searched_byte_by_byte_and_told(
    tmp_path: Path, traces: Traces
):
    (tmp_path / "broken.lance").write_bytes(b"LANC" + TEXT.encode())

    proof = prove([Place(tmp_path / "broken.lance", "broken.lance")], traces, lambda _: None)

    assert proof.unread == ("broken.lance",)
    assert not proof.clean


def test_a_database_that_another_process_writes_is_told(
    tmp_path: Path, traces: Traces, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flows.erasing.scrubbing._BUSY_SECONDS", 0.01)
    file = sqlite_row(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        with pytest.raises(ErasureIncompleteError, match="run the same command again"):
            scrub_database(file, Redactor(traces))


def test_rows_of_others_are_not_touched(tmp_path: Path, traces: Traces):
    file = sqlite_row(tmp_path)

    changed = scrub_database(file, Redactor(traces), mine=lambda _, row: row["number"] != 0)

    assert changed == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"reason": f"ok. {TEXT} Fine; so"}, {"reason": f"ok. {ERASED}. Fine; so"}),
        ({"added": ["17", "b.md"]}, {"added": [ERASED, "b.md"]}),
        ({"version": "17"}, {"version": "17"}),
        ({"documents": {"a/vault.md": "old"}}, {"documents": {ERASED: "old"}}),
        ({"action": "vault", "share": 0.5}, {"action": "vault", "share": 0.5}),
    ],
    ids=["a-clause", "a-plain-uri-in-a-list", "a-number", "a-key", "a-word-that-programs-read"],
)
def test_a_value_keeps_what_is_not_of_the_document(value: object, expected: object, traces: Traces):
    assert Redactor(traces, frozenset({"17"})).value(value) == expected
