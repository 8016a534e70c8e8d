"""Vectors of a run that was killed come back, damaged ones do not, and success leaves nothing."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedders import Vector
from retrieval.vector_journal import VectorJournal

A, B = "a" * 64, "b" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deeper" / "journal.db"


def vectors(count: int) -> dict[str, Vector]:
    return {f"{at:064x}": np.full(4, at, np.float32) for at in range(count)}


def found(file: Path, embedder: str = A, count: int = 10) -> dict[str, bytes]:
    journal = VectorJournal(file, embedder)
    return {key: row.tobytes() for key, row in journal.find(list(vectors(count))).items()}


def plain(count: int) -> dict[str, bytes]:
    return {digest: vector.tobytes() for digest, vector in vectors(count).items()}


def test_kept_vectors_are_found_by_the_next_run(file: Path):
    VectorJournal(file, A).keep(vectors(2))
    VectorJournal(file, A).keep(vectors(3))

    assert found(file) == plain(3)


def test_only_what_is_asked_for_is_found(file: Path):
    VectorJournal(file, A).keep(vectors(3))

    assert found(file, count=1) == plain(1)
    assert VectorJournal(file, A).find(["f" * 64]) == {}


def test_vectors_of_another_embedder_are_never_found(file: Path):
    VectorJournal(file, A).keep(vectors(3))

    assert found(file, B) == {}
    assert found(file, A) == plain(3)


def test_looking_makes_no_file(file: Path):
    assert found(file) == {}
    VectorJournal(file, A).clear()
    assert not file.parent.exists()


def test_without_a_file_nothing_is_kept():
    journal = VectorJournal(None, A)
    journal.keep(vectors(2))
    journal.clear()
    assert journal.find(list(vectors(2))) == {}


def test_a_cleared_journal_leaves_no_file_behind(file: Path):
    journal = VectorJournal(file, A)
    journal.keep(vectors(2))
    with closing(sqlite3.connect(file)) as reader:  # keeps the files beside it alive
        reader.execute("SELECT count(*) FROM vectors").fetchone()
        journal.keep(vectors(3))
        assert len(list(file.parent.iterdir())) > 1

        journal.clear()

        assert list(file.parent.iterdir()) == []


def test_a_vector_that_was_damaged_is_made_again(file: Path):
    VectorJournal(file, A).keep(vectors(3))
    spoiled = list(vectors(3))[1]
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE vectors SET vector = ? WHERE digest = ?", (b"\0" * 16, spoiled))

    assert found(file).keys() == plain(3).keys() - {spoiled}


@pytest.mark.parametrize("content", [b"", b"no database" * 99], ids=["empty", "another-file"])
def test_a_damaged_journal_is_thrown_away_and_written_anew(file: Path, content: bytes):
    VectorJournal(file, A).keep(vectors(3))
    file.write_bytes(content)

    assert found(file) == {}
    VectorJournal(file, A).keep(vectors(2))

    assert found(file) == plain(2)


def test_a_damaged_journal_that_nobody_looked_at_is_no_obstacle_to_writing(file: Path):
    file.parent.mkdir()
    file.write_bytes(b"no database" * 99)

    VectorJournal(file, A).keep(vectors(2))

    assert found(file) == {}


@pytest.mark.parametrize("seed", range(40))
def test_bytes_overwritten_anywhere_give_no_wrong_vector(file: Path, seed: int):
    VectorJournal(file, A).keep(vectors(300))
    chance = random.Random(seed)  # noqa: S311 no secret
    data = bytearray(file.read_bytes())
    at, length = chance.randrange(len(data)), chance.choice([1, 16, 300])
    data[at : at + length] = chance.randbytes(len(data[at : at + length]))
    file.write_bytes(data)

    left = found(file, count=300)
    VectorJournal(file, A).keep(vectors(2))

    assert left.items() <= plain(300).items()
    assert found(file, count=300).items() <= plain(300).items()
