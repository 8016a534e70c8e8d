"""Chunks and vectors on their way into the index: in order, each text once, on disk, then gone."""

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.embedders import Vector, probes
from retrieval.records import Chunk, Flag, Recipe, embedded_text
from retrieval.spool import BATCH, Row, Spool
from retrieval.store import Index
from tests.retrieval.builders import DIMENSION, KB, HashingEmbedder


@pytest.fixture
def spool() -> Iterator[Spool]:
    made = Spool()
    yield made
    made.close()


def chunk(at: int, *, text: str = "") -> Chunk:
    said = text or f"text {at}"
    return Chunk(
        id=f"{at:064x}",
        uri=f"{at // 10}.md",
        ordinal=at % 10,
        title="Title",
        headings=("Guide", "Install"),
        text=said,
        digest=f"digest of {said}",
        document_digest="document",
        media_type="text/markdown",
    )


def vector(value: float) -> Vector:
    return np.full(DIMENSION, value, np.float32)


def missing(spool: Spool) -> list[str]:
    return [digest for digests in spool.missing_digests() for digest in digests]


def fill(spool: Spool) -> None:
    for digests in spool.missing_digests():
        spool.keep(dict.fromkeys(digests, vector(1)))


def rows(spool: Spool) -> list[Row]:
    return [row for page in spool.rows() for row in page]


def add(spool: Spool, chunks: Iterable[Chunk]) -> None:
    """Add chunks as if all were of one document."""
    listed = list(chunks)
    spool.add(listed, [one.id for one in listed])


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({}, id="plain"),
        pytest.param({"headings": ()}, id="no-heading"),
        pytest.param({"headings": ('a "quoted" > one', "\U0001f600")}, id="odd-headings"),
        pytest.param({"modified_at": datetime(1969, 7, 20, 20, 17, 40, 1, UTC)}, id="before-1970"),
        pytest.param({"modified_at": datetime.max.replace(tzinfo=UTC)}, id="the-last-moment"),
        pytest.param({"flags": (Flag.SECRET, Flag.INJECTION)}, id="flagged"),
        pytest.param({"trust": "untrusted", "uri": "x' OR '1'='1\n.md"}, id="odd-names"),
    ],
)
def test_a_chunk_comes_out_as_it_went_in(spool: Spool, odd: dict[str, Any]):
    one = replace(chunk(1), **odd)
    add(spool, [one])
    fill(spool)

    [row] = rows(spool)

    assert row.chunk == one
    assert row.vector.tolist() == vector(1).tolist()


def test_chunks_come_out_in_the_order_they_came_in_page_after_page(spool: Spool):
    chunks = [chunk(at) for at in range(2 * BATCH + 1)]
    add(spool, chunks)
    fill(spool)

    pages = list(spool.rows())

    assert [len(page) for page in pages] == [BATCH, BATCH, 1]
    assert [row.chunk for page in pages for row in page] == chunks


def test_equal_texts_are_missing_once_and_share_their_vector(spool: Spool):
    add(spool, [chunk(1, text="same"), chunk(2), chunk(3, text="same")])

    assert (spool.chunks, spool.missing) == (3, 2)
    spool.keep({"digest of same": vector(7), "digest of text 2": vector(2)})

    assert [row.vector[0] for row in rows(spool)] == [7, 2, 7]


def test_the_order_of_a_document_goes_with_its_first_chunk(spool: Spool):
    ids = [chunk(at).id for at in range(3)]
    spool.add([chunk(0), chunk(2)], ids)  # the one between is in the index as it is
    fill(spool)

    assert [row.order for row in rows(spool)] == [tuple(ids), None]


def test_what_has_a_vector_is_missing_no_more(spool: Spool):
    add(spool, [chunk(at) for at in range(5)])

    spool.keep({"digest of text 1": vector(1), "digest of nothing here": vector(1)})

    assert spool.missing == 4
    assert missing(spool) == [f"digest of text {at}" for at in (0, 2, 3, 4)]


def test_texts_are_handed_out_as_the_embedder_reads_them_in_batches(spool: Spool):
    add(spool, [chunk(at) for at in range(5)])

    batches = list(spool.missing_texts(2))

    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert batches[0]["digest of text 0"] == embedded_text(("Guide", "Install"), "text 0")


def test_vectors_may_be_given_while_texts_are_handed_out(spool: Spool):
    add(spool, [chunk(at) for at in range(10)])

    for texts in spool.missing_texts(3):
        spool.keep(dict.fromkeys(texts, vector(1)))

    assert spool.missing == 0


def test_nothing_comes_out_of_an_empty_spool(spool: Spool):
    assert (spool.chunks, spool.missing) == (0, 0)
    assert (missing(spool), rows(spool), list(spool.missing_texts(9))) == ([], [], [])


def test_a_large_spool_is_on_disk_under_no_name(spool: Spool):
    add(spool, [chunk(at, text=f"{at} " * 500) for at in range(5_000)])

    opened = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]

    assert any("etilqs" in name and name.endswith("(deleted)") for name in opened)


def test_a_spool_is_closed_by_an_error_and_by_nothing_else(spool: Spool):
    with spool.closed_by_an_error():
        add(spool, [chunk(1)])
    assert spool.chunks == 1

    with pytest.raises(KeyError), spool.closed_by_an_error():
        raise KeyError

    with pytest.raises(Exception, match="closed"):
        _ = spool.missing


@pytest.mark.slow
def test_memory_stays_flat_however_many_chunks_are_committed(tmp_path: Path):
    small, large = (peak_of(2_000, tmp_path / "small"), peak_of(20_000, tmp_path / "large"))

    assert large < 2 * small


def peak_of(count: int, folder: Path) -> int:
    """Return the most memory that Python held while so many chunks were drafted and committed."""
    embedder = HashingEmbedder()
    spool = Spool()
    tracemalloc.start()
    try:
        for at in range(0, count, 10):
            add(spool, [chunk(at + part) for part in range(10)])
        for texts in spool.missing_texts(128):
            made = HashingEmbedder().embed(list(texts.values()))
            spool.keep(dict(zip(texts, made, strict=True)))
        Index(folder, KB).commit(
            spool.rows(),
            base=None,
            recipe=Recipe(embedder.fingerprint, "cut"),
            probes=probes(embedder),
            run_id="run",
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        spool.close()
