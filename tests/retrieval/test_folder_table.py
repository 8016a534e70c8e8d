"""The chunk table of a folder that was never indexed."""

from retrieval.chunk_table import SCHEMA
from retrieval.folder_table import read_chunk_table
from retrieval.records import RefusalCode
from retrieval.token_estimate import approximate_tokens
from tests.retrieval.builders import Corpus, paragraph


def test_a_folder_gives_the_table_an_index_would(corpus: Corpus):
    corpus.write({"b.md": "# B\n\nbeta", "a.rst": "A\n=\n\nalpha"})
    snapshot = corpus.refresh().snapshot

    table, refused = read_chunk_table(corpus.source)

    assert refused == ()
    assert table.schema.equals(SCHEMA)
    assert table.equals(corpus.index.chunk_table(snapshot))


def test_what_is_refused_is_told_and_left_out(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": b"\0", "c.md": b""})

    table, refused = read_chunk_table(corpus.source)

    assert table["uri"].to_pylist() == ["a.md"]
    assert [refusal.code for refusal in refused] == [RefusalCode.BINARY, RefusalCode.EMPTY]


def test_an_empty_folder_gives_an_empty_table(corpus: Corpus):
    table, refused = read_chunk_table(corpus.source)

    assert (table.num_rows, table.schema, refused) == (0, SCHEMA, ())


def test_the_estimate_is_seldom_below_what_the_model_counts(minilm):
    texts = [paragraph(f"p{at}", words=at) for at in range(1, 60)]
    prose = ["The quick brown fox jumps over the lazy dog, doesn't it?", "ValueError: bad `x_y`"]

    for estimate, count in zip(approximate_tokens(prose), minilm.count_tokens(prose), strict=True):
        assert count <= estimate <= 2 * count
    assert len(approximate_tokens(texts)) == len(texts)
