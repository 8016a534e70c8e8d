"""What a scan leaves for the next one, and that damage to it costs work and nothing else."""

import random
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from retrieval.records import RefusalCode
from retrieval.scan_cache import Scan, ScanCache, Seen

SEEN = Seen("stamp", "digest")
REFUSED = Seen("stamp", "digest", RefusalCode.EMPTY, "there is no text in it")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deeper" / "scan.db"


def saved(file: Path, scan: Scan) -> ScanCache:
    ScanCache(file).save(scan)
    return ScanCache(file)


def test_what_was_seen_comes_back_by_source(file: Path):
    cache = saved(
        file, Scan({("one", "a.md"): SEEN, ("one", "n\nl'.md"): REFUSED, ("two", "a.md"): REFUSED})
    )

    assert cache.seen("one") == {"a.md": SEEN, "n\nl'.md": REFUSED}
    assert cache.seen("two") == {"a.md": REFUSED}
    assert cache.seen("three") == {}


def test_a_scan_changes_what_it_names_and_nothing_else(file: Path):
    saved(file, Scan({("", "a.md"): SEEN, ("", "b.md"): SEEN, ("", "c.md"): SEEN}))

    cache = saved(file, Scan({("", "a.md"): REFUSED, ("", "b.md"): None}))

    assert cache.seen("") == {"a.md": REFUSED, "c.md": SEEN}


def test_notes_of_a_kind_are_replaced_as_a_whole(file: Path):
    saved(file, Scan(notes={"leaving": {"a.md": "noon", "b.md": "noon"}, "speed": {"x": 1.5}}))

    cache = saved(file, Scan(notes={"leaving": {"c.md": ["any", {"JSON": None}]}}))

    assert cache.notes("leaving") == {"c.md": ["any", {"JSON": None}]}
    assert cache.notes("speed") == {"x": 1.5}


def test_reading_makes_no_file(file: Path):
    cache = ScanCache(file)

    assert cache.seen("") == {}
    assert cache.notes("speed") == {}
    cache.save(Scan())
    assert not file.parent.exists()


def test_without_a_file_nothing_is_remembered():
    cache = ScanCache(None)

    cache.save(Scan({("", "a.md"): SEEN}, {"speed": {"x": 1}}))

    assert (cache.seen(""), cache.notes("speed")) == ({}, {})


def test_what_a_source_remembers_is_written_by_the_next_save(file: Path):
    cache = ScanCache(file)
    memory = cache.memory("web")
    memory["etag"], memory["gone"] = "1", "2"
    del memory["gone"]

    assert ScanCache(file).memory("web") == {}
    cache.save(Scan())

    assert dict(ScanCache(file).memory("web")) == {"etag": "1"}
    assert dict(ScanCache(file).memory("other")) == {}


def test_a_memory_that_is_as_it_was_is_not_written_again(file: Path):
    cache = ScanCache(file)
    cache.memory("web")["etag"] = "1"
    cache.save(Scan())
    written = file.read_bytes()
    again = ScanCache(file)

    again.memory("web")["etag"] = "1"
    again.save(Scan())

    assert not again.memory("web").changed
    assert file.read_bytes() == written


def test_a_memory_is_one_for_all_who_ask_for_it(file: Path):
    cache = ScanCache(file)

    cache.memory("web")["etag"] = "1"

    assert cache.memory("web")["etag"] == "1"
    assert len(cache.memory("web")) == 1


def damage(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement, values)


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda file: file.write_bytes(b"no database" * 99), id="another-file"),
        pytest.param(lambda file: file.write_bytes(b""), id="an-empty-file"),
        pytest.param(
            lambda file: file.write_bytes(file.read_bytes()[:4096]), id="half-of-the-file"
        ),
        pytest.param(lambda file: damage(file, "DROP TABLE documents"), id="a-table-less"),
        pytest.param(
            lambda file: damage(file, "UPDATE documents SET refusal = 'DOC_UNHEARD_OF'"),
            id="a-refusal-nobody-knows",
        ),
        pytest.param(
            lambda file: damage(file, "UPDATE documents SET reason = CAST(x'ff' AS TEXT)"),
            id="text-that-is-none",
        ),
    ],
)
def test_a_damaged_cache_is_thrown_away_and_written_anew(file: Path, break_it):
    saved(file, Scan({("", f"{at:04}.md"): SEEN for at in range(500)}))

    break_it(file)

    assert ScanCache(file).seen("") == {}
    assert saved(file, Scan({("", "b.md"): SEEN})).seen("") == {"b.md": SEEN}


def test_notes_that_cannot_be_read_are_thrown_away(file: Path):
    saved(file, Scan(notes={"speed": {"x": 1.5}}))

    damage(file, "UPDATE notes SET value = '{'")

    assert ScanCache(file).notes("speed") == {}
    assert saved(file, Scan(notes={"speed": {"x": 2}})).notes("speed") == {"x": 2}


@pytest.mark.parametrize("seed", range(40))
def test_bytes_overwritten_anywhere_stop_nobody(file: Path, seed: int):
    saved(file, Scan({("", f"{at:04}.md"): REFUSED for at in range(300)}, {"speed": {"x": 1}}))
    chance = random.Random(seed)  # noqa: S311 no secret
    data = bytearray(file.read_bytes())
    at, length = chance.randrange(len(data)), chance.choice([1, 16, 300])
    data[at : at + length] = chance.randbytes(len(data[at : at + length]))
    file.write_bytes(data)

    cache = ScanCache(file)
    cache.seen("")
    cache.notes("speed")
    cache.save(Scan({("", "new.md"): SEEN}))

    # Where a damaged name spoils the order, what was saved may not be found: it costs reading.
    assert ScanCache(file).seen("").get("new.md") in {SEEN, None}


def test_a_cache_that_is_only_locked_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch):
    saved(file, Scan({("", "a.md"): SEEN}))
    with closing(sqlite3.connect(file)) as holder:
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.01))
        holder.execute("BEGIN EXCLUSIVE")

        assert ScanCache(file).seen("") == {}
        saved(file, Scan({("", "a.md"): REFUSED}))

    assert ScanCache(file).seen("") == {"a.md": SEEN}


def test_nothing_is_left_half_written(file: Path):
    saved(file, Scan({("", "a.md"): SEEN}))

    with pytest.raises(TypeError):
        ScanCache(file).save(Scan({("", "a.md"): REFUSED}, {"speed": {"x": object()}}))

    assert ScanCache(file).seen("") == {"a.md": SEEN}
