"""The index on a real LanceDB: pinned readers, one commit, and what damage looks like."""

from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from retrieval.chunk_table import SCHEMA
from retrieval.errors import (
    BadVectorsError,
    IndexCorruptError,
    PlanMismatchError,
    SnapshotMissingError,
)
from retrieval.records import Recipe, Snapshot
from retrieval.store import Index
from retrieval.table_search import Query
from tests.retrieval.builders import DIMENSION, KB, Corpus, HashingEmbedder

DOCUMENTS = {"b.md": "# B\n\nbeta\n\n# C\n\ngamma", "a.md": "# A\n\nalpha"}


def manifests(corpus: Corpus) -> list[Path]:
    return sorted(
        (corpus.index._folder / f"{KB}.lance" / "_versions").glob("*.manifest"),  # noqa: SLF001
        key=lambda path: path.stat().st_mtime_ns,
    )


def test_an_index_that_was_never_written_has_no_head_and_makes_no_folder(tmp_path: Path):
    index = Index(tmp_path / "index", KB)

    assert index.head() is None
    assert index.donors("a" * 64) == ()
    assert index.documents(None) == {}
    assert list(tmp_path.iterdir()) == []


def test_reading_a_snapshot_of_no_index_is_a_missing_snapshot(tmp_path: Path):
    with pytest.raises(SnapshotMissingError, match="docs@1"):
        Index(tmp_path / "index", KB).count(Snapshot(KB, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Docs", "../docs", "a b", "-docs", "docs@1"])
def test_a_name_that_is_no_table_name_is_an_error(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="Not a name for a knowledge base"):
        Index(tmp_path, name)


def test_the_chunk_table_has_the_shared_columns_in_reading_order(corpus: Corpus):
    corpus.write(DOCUMENTS)
    snapshot = corpus.refresh().snapshot

    table = corpus.index.chunk_table(snapshot)

    assert table.schema.equals(SCHEMA)
    assert table["text"].to_pylist() == ["alpha", "beta", "gamma"]
    assert table["headings"].to_pylist() == [["A"], ["B"], ["C"]]
    assert table["ordinal"].to_pylist() == [0, 0, 1]


def test_the_chunk_table_carries_the_vectors_of_its_texts(corpus: Corpus):
    corpus.write(DOCUMENTS)
    snapshot = corpus.refresh().snapshot

    table = corpus.index.chunk_table(snapshot, vectors=True)

    assert table.column_names == [*SCHEMA.names, "vector"]
    expected = corpus.embedder.embed(["A\nalpha", "B\nbeta", "C\ngamma"])
    assert np.allclose(np.array(table["vector"].to_pylist()), expected)


def test_a_pinned_reader_sees_its_snapshot_while_refreshes_land(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    old = corpus.refresh().snapshot
    digest = corpus.index.content_digest(old)
    corpus.write({"a.md": "edited", "b.md": "beta"})

    new = corpus.refresh().snapshot

    assert corpus.index.documents(old).keys() == {"a.md"}
    assert corpus.index.chunk_table(old)["text"].to_pylist() == ["alpha"]
    assert corpus.index.count(old) == 1
    assert corpus.index.content_digest(old) == digest
    vector = corpus.embedder.embed(["alpha"])[0]
    assert [hit.text for hit in corpus.index.search(old, Query("", vector, 5))] == ["alpha"]
    assert corpus.index.count(new) == 2


def test_a_reader_of_its_own_sees_a_refresh_at_once(corpus: Corpus, tmp_path: Path):
    reader = Index(tmp_path / "index", KB)
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    assert reader.head() == Snapshot(KB, 2)
    corpus.write({"a.md": "edited"})

    corpus.refresh()

    assert reader.head() == Snapshot(KB, 3)


def test_search_finds_the_same_text_first_with_similarity_one(corpus: Corpus):
    corpus.write({f"{at}.md": f"# T\n\ntext number {at}" for at in range(30)})
    snapshot = corpus.refresh().snapshot
    vector = corpus.embedder.embed(["T\ntext number 17"])[0]

    hits = corpus.index.search(snapshot, Query("", vector, 10))

    assert (hits[0].uri, hits[0].text, hits[0].headings) == ("17.md", "text number 17", ("T",))
    assert hits[0].similarity == pytest.approx(1.0, abs=1e-6)
    assert len(hits) == 10
    assert [hit.similarity for hit in hits] == sorted(
        (hit.similarity for hit in hits), reverse=True
    )


def test_a_search_for_what_is_no_number_is_refused(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    snapshot = corpus.refresh().snapshot

    with pytest.raises(BadVectorsError):
        corpus.index.search(snapshot, Query("", np.full(DIMENSION, np.nan, np.float32), 1))


def test_similarity_is_the_cosine(corpus: Corpus):
    corpus.write({f"{at}.md": f"text {at}" for at in range(5)})
    snapshot = corpus.refresh().snapshot
    question = corpus.embedder.embed(["a question"])[0]

    hits = corpus.index.search(snapshot, Query("", question, 5))

    for hit in hits:
        cosine = float(corpus.embedder.embed([hit.text])[0] @ question)
        assert hit.similarity == pytest.approx(cosine, abs=1e-5)
    assert min(hit.similarity for hit in hits) < 0


def test_a_hit_is_found_again_by_its_chunk_id(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    [chunk] = corpus.chunks()
    snapshot = corpus.refresh().snapshot

    [hit] = corpus.index.search(snapshot, Query("", corpus.embedder.embed(["alpha"])[0], 1))

    assert hit.chunk == chunk.id


@pytest.mark.parametrize("version", [3, 99])
def test_a_version_that_is_not_there_is_a_missing_snapshot(corpus: Corpus, version: int):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()

    with pytest.raises(SnapshotMissingError, match=f"docs@{version} is not in the index"):
        corpus.index.chunk_table(Snapshot(KB, version))


def test_a_snapshot_of_another_knowledge_base_is_an_error(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()

    with pytest.raises(ValueError, match="other@1 is not a snapshot of 'docs'"):
        corpus.index.count(Snapshot("other", 1))


def test_a_head_that_cannot_be_read_is_a_corrupt_index_and_no_empty_one(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    manifests(corpus)[-1].write_bytes(b"")

    with pytest.raises(IndexCorruptError, match=r"'docs' .* cannot be opened"):
        corpus.index.head()


def test_an_emptied_data_file_is_a_corrupt_index(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    snapshot = corpus.refresh().snapshot
    for path in (corpus.index._folder / f"{KB}.lance" / "data").iterdir():  # noqa: SLF001
        path.write_bytes(b"")

    with pytest.raises(IndexCorruptError, match="docs@2 cannot be read"):
        corpus.index.chunk_table(snapshot)
    with pytest.raises(IndexCorruptError, match="docs@2 cannot be read"):
        corpus.index.search(snapshot, Query("", corpus.embedder.embed(["alpha"])[0], 1))


def test_a_table_of_another_program_is_refused(tmp_path: Path):
    lancedb.connect(tmp_path).create_table(KB, pa.table({"id": ["x"]}))

    with pytest.raises(IndexCorruptError, match="another program or another version"):
        Index(tmp_path, KB).head()


def test_a_table_of_a_newer_format_is_refused(tmp_path: Path):
    schema = pa.schema([pa.field("id", pa.string())], metadata={"driftline.format": "3"})
    lancedb.connect(tmp_path).create_table(KB, pa.table({"id": ["x"]}, schema=schema))

    with pytest.raises(IndexCorruptError, match="another version of Driftline"):
        Index(tmp_path, KB).head()


def test_what_a_killed_first_build_left_behind_is_no_index_and_no_obstacle(corpus: Corpus):
    left = corpus.index._folder / f"{KB}.lance"  # noqa: SLF001
    (left / "data").mkdir(parents=True)
    (left / "data" / "half.lance").write_bytes(b"half a file")
    (left / "_versions").mkdir()
    corpus.write({"a.md": "alpha"})
    assert corpus.index.head() is None

    refreshed = corpus.refresh()

    assert refreshed.snapshot == Snapshot(KB, 2)


def test_a_commit_on_a_base_that_is_not_the_newest_is_refused(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    old = corpus.refresh().snapshot
    corpus.write({"a.md": "edited"})
    newest = corpus.refresh().snapshot

    with pytest.raises(PlanMismatchError, match="docs@2 is not the newest version"):
        corpus.index.commit(
            (),
            base=old,
            removed=["a.md"],
            recipe=Recipe("a" * 64, "cut"),
            probes=np.eye(3, DIMENSION, dtype=np.float32),
            run_id="run",
        )

    assert corpus.index.head() == newest


def test_vectors_are_found_by_text_digest_however_many_are_asked_for(corpus: Corpus):
    corpus.write({"many.md": "\n\n".join(f"# H{at}\n\ntext {at}" for at in range(2_100))})
    chunks = corpus.chunks()
    snapshot = corpus.refresh().snapshot
    digests = {chunk.digest for chunk in chunks}

    vectors = corpus.index.vectors_for(snapshot, [*digests, "f" * 64])

    assert vectors.keys() == digests
    one = chunks[1_234]
    assert np.allclose(vectors[one.digest], corpus.embedder.embed([one.embedded_text])[0])
    assert vectors[one.digest].shape == (DIMENSION,)


def test_a_filter_holds_nothing_but_digests(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    snapshot = corpus.refresh().snapshot

    with pytest.raises(ValueError, match="sha256 digests only"):
        corpus.index.vectors_for(snapshot, ["x' OR '1'='1"])


def test_an_index_of_format_1_still_loads():
    # Made by the first release: two documents, of which a.md was then edited.
    index = Index(Path(__file__).parent / "data" / "index_1", KB)

    assert index.head() == Snapshot(KB, 2)
    assert index.chunk_table(Snapshot(KB, 1))["text"].to_pylist() == ["First text.", "Other."]
    assert index.chunk_table(Snapshot(KB, 2))["text"].to_pylist() == ["Edited text.", "Other."]
    vector = HashingEmbedder().embed(["Title\nEdited text."])[0]
    assert index.search(Snapshot(KB, 2), Query("", vector, 1))[0].similarity == pytest.approx(1.0)


def test_two_knowledge_bases_share_a_folder_without_touching(corpus: Corpus, tmp_path: Path):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()

    assert Index(tmp_path / "index", "other").head() is None


def test_times_and_trust_come_back_as_they_went_in(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    [chunk] = corpus.chunks()
    snapshot = corpus.refresh().snapshot

    [row] = corpus.index.chunk_table(snapshot).to_pylist()

    assert row["modified_at"] == chunk.modified_at
    assert row["trust"] == "trusted"
    assert row["document_digest"] == chunk.document_digest
