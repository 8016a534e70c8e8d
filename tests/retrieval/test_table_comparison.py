"""What a comparison reads of an index: outlines, some documents, cosines and full text."""

import numpy as np
import pyarrow as pa
import pytest

from retrieval.chunk_table import SCHEMA
from tests.retrieval.builders import Corpus

DOCUMENTS = {
    "b.md": "# B\n\nthe badger digs\n\n# C\n\nthe cat sleeps",
    "a.md": "# A\n\nthe ant works",
    "x' OR '1'='1.md": "# X\n\nquoted",
}


@pytest.fixture
def snapshot(corpus: Corpus):
    corpus.write(DOCUMENTS)
    return corpus.index.prepare(corpus.refresh().snapshot)


def test_an_outline_names_each_document_and_each_chunk(corpus: Corpus, snapshot):
    outline = corpus.index.outline(snapshot)

    whole = corpus.index.chunk_table(snapshot)
    documents = dict(
        zip(*(column.to_pylist() for column in outline.documents.columns), strict=True)
    )
    assert documents == dict(
        zip(whole["uri"].to_pylist(), whole["document_digest"].to_pylist(), strict=True)
    )
    chunks = outline.chunks.sort_by([("uri", "ascending"), ("normal_digest", "ascending")])
    assert chunks.equals(
        whole.select(["uri", "normal_digest"])
        .sort_by([("uri", "ascending"), ("normal_digest", "ascending")])
        .cast(chunks.schema)
    )


@pytest.mark.parametrize("uris", [[], ["a.md"], ["b.md", "a.md"], ["x' OR '1'='1.md"], ["none.md"]])
def test_the_chunk_table_of_some_documents_is_that_part_of_the_whole(
    corpus: Corpus, snapshot, uris: list[str]
):
    part = corpus.index.chunk_table(snapshot, uris=uris)

    whole = corpus.index.chunk_table(snapshot)
    kept = [row for row in whole.to_pylist() if row["uri"] in uris]
    assert part.schema.equals(SCHEMA)
    assert part.to_pylist() == kept


def test_the_best_cosine_is_that_over_every_vector(corpus: Corpus, snapshot):
    table = corpus.index.chunk_table(snapshot, vectors=True)
    held = np.array(table["vector"].to_pylist(), dtype=np.float32)
    asked = np.random.default_rng(5).normal(size=(7, held.shape[1])).astype(np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)

    best = corpus.index.best_cosines(snapshot, asked)

    assert best == pytest.approx((asked @ held.T).max(axis=1), abs=1e-6)


def test_full_text_finds_the_text_that_holds_the_words(corpus: Corpus, snapshot):
    found = corpus.index.best_texts(snapshot, ["which badger digs?", "", "zebra"])

    assert found[0][0] == "the badger digs"
    assert found[1:] == [[], []]


def test_a_comparison_reads_the_snapshot_it_was_given(corpus: Corpus, snapshot):
    corpus.write({"a.md": "# A\n\nthe ant rests"})
    corpus.refresh()

    assert "the ant works" in corpus.index.chunk_table(snapshot, uris=["a.md"])["text"].to_pylist()
    assert isinstance(corpus.index.outline(snapshot).chunks, pa.Table)
