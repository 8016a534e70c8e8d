"""Looking at an index and putting it right, on a real LanceDB."""

import gc
from collections.abc import Callable
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest

from retrieval.errors import IndexCorruptError, IndexUnwritableError, SnapshotMissingError
from retrieval.index_health import IndexHealth
from retrieval.records import Snapshot
from retrieval.store import Index
from retrieval.table_folder import Keeper, Quarantined, TableFolders
from retrieval.table_seal import read_seal, seal, seal_file
from tests.retrieval.builders import KB, Corpus

TABLE = f"{KB}.lance"


def table_of(corpus: Corpus) -> Path:
    return corpus.index.folders.path(1)


def manifest(corpus: Corpus, snapshot: Snapshot) -> Path:
    return corpus.index.folders.versions(snapshot.generation)[snapshot.version]


def emptied(content: bytes) -> bytes:
    return b""


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_wrong_bit(content: bytes) -> bytes:
    return content[:-16] + bytes([content[-16] ^ 1]) + content[-15:]  # where it begins


def with_a_wrong_bit_that_reads(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])  # only the seal shows it


class Told(list[Quarantined]):
    """A keeper that serves one snapshot and remembers what it was told."""

    def keeper(self, serves: Snapshot | None) -> Keeper:
        return Keeper(lambda: serves, self.append)


@pytest.fixture
def two(corpus: Corpus) -> tuple[Snapshot, Snapshot]:
    """Two refreshes; the second one edits one of two documents."""
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    first = corpus.refresh().snapshot
    corpus.write({"a.md": "edited"})
    return first, corpus.refresh().snapshot


@pytest.mark.parametrize(
    "damage", [emptied, truncated, with_a_wrong_bit, with_a_wrong_bit_that_reads]
)
def test_an_unreadable_head_that_nobody_was_told_of_is_set_aside(
    corpus: Corpus, two: tuple[Snapshot, Snapshot], damage: Callable[[bytes], bytes]
):
    first, second = two
    file = manifest(corpus, second)
    file.write_bytes(damage(file.read_bytes()))
    told = Told()
    index = Index(table_of(corpus).parent, KB, keeper=told.keeper(first))

    head = index.head()

    assert head == first
    assert index.chunk_table(first)["text"].to_pylist() == ["alpha", "beta"]
    assert [(each.snapshot, each.file) for each in told] == [
        (second, file.with_name(f"{file.name}.quarantine"))
    ]
    assert told[0].file.exists()


def test_after_a_quarantine_the_next_refresh_makes_that_version_again(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    manifest(corpus, second).write_bytes(b"")
    corpus.index = Index(table_of(corpus).parent, KB, keeper=Told().keeper(first))

    again = corpus.refresh()

    assert again.snapshot == second
    assert corpus.texts() == {"a.md": "edited", "b.md": "beta"}


def test_two_versions_that_cannot_be_read_are_both_set_aside(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    corpus.write({"c.md": "gamma"})
    third = corpus.refresh().snapshot
    for snapshot in (second, third):
        manifest(corpus, snapshot).write_bytes(b"")
    told = Told()

    head = Index(table_of(corpus).parent, KB, keeper=told.keeper(first)).head()

    assert head == first
    assert [each.snapshot for each in told] == [third, second]


def test_a_first_build_that_cannot_be_read_is_set_aside_as_a_whole(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    for snapshot in corpus.index.folders.versions(corpus.refresh().snapshot.generation).values():
        snapshot.write_bytes(b"")
    told = Told()

    head = Index(table_of(corpus).parent, KB, keeper=told.keeper(None)).head()

    assert head is None
    assert len(told) == 2


def test_what_answers_is_never_set_aside_and_names_the_command_that_repairs(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    file = manifest(corpus, second)
    file.write_bytes(b"")
    told = Told()
    index = Index(table_of(corpus).parent, KB, keeper=told.keeper(second))

    with pytest.raises(IndexCorruptError, match="driftline verify docs --repair"):
        index.chunk_table(second)
    before = index.chunk_table(first)["text"].to_pylist()

    assert before == ["alpha", "beta"]
    assert file.exists()
    assert told == []


def test_what_is_read_past_a_damaged_version_lies_beside_and_goes_with_its_reader(
    corpus: Corpus,
    two: tuple[Snapshot, Snapshot],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    first, second = two
    manifest(corpus, second).write_bytes(b"")
    (tmp_path / "beside").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "beside"))
    index = Index(table_of(corpus).parent, KB, keeper=Told().keeper(second))
    files = sorted(table_of(corpus).rglob("*"))

    index.chunk_table(first)

    assert len(list((tmp_path / "beside").iterdir())) == 1
    assert sorted(table_of(corpus).rglob("*")) == files
    del index
    gc.collect()
    assert list((tmp_path / "beside").iterdir()) == []
    assert sorted(table_of(corpus).rglob("*")) == files


def test_where_nothing_below_can_be_read_either_nothing_is_moved(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    files = [manifest(corpus, first), manifest(corpus, second)]
    for file in files:
        file.write_bytes(b"")
    told = Told()
    index = Index(table_of(corpus).parent, KB, keeper=told.keeper(first))

    with pytest.raises(IndexCorruptError):
        index.head()

    assert all(file.exists() for file in files)
    assert told == []


def test_an_index_that_is_older_than_what_answers_is_not_gone_on_from(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    manifest(corpus, second).unlink()
    index = Index(table_of(corpus).parent, KB, keeper=Told().keeper(second))

    with pytest.raises(IndexCorruptError, match="docs@2, but docs@3 is what answers"):
        index.head()
    assert index.count(first) == 2
    with pytest.raises(SnapshotMissingError, match="docs@3"):
        index.count(second)


def test_an_index_that_was_lost_is_made_anew_under_names_that_no_release_has(
    corpus: Corpus, two: tuple[Snapshot, Snapshot], tmp_path: Path
):
    corpus.index = Index(tmp_path / "elsewhere", KB, keeper=Told().keeper(two[1]))

    made = corpus.refresh().snapshot

    assert made.generation == 2


def test_a_missing_deletion_file_is_a_corrupt_index(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    corpus.refresh()
    corpus.delete("b.md")
    snapshot = corpus.refresh().snapshot
    [deletions] = (table_of(corpus) / "_deletions").iterdir()
    deletions.unlink()
    index = Index(table_of(corpus).parent, KB)

    with pytest.raises(IndexCorruptError, match="docs@3 cannot be read"):
        index.chunk_table(snapshot)
    [checked] = IndexHealth(index).files(hashed=lambda _: False)
    assert [(each.path, each.what) for each in checked.broken] == [(deletions, "it is gone")]


def test_a_column_that_another_program_added_is_left_alone_and_not_written_to(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    table = lancedb.connect(table_of(corpus).parent).open_table(KB)
    table.add_columns({"note": "'by hand'"})
    corpus.write({"a.md": "edited"})
    index = Index(table_of(corpus).parent, KB)
    head = index.head()
    assert head is not None

    assert index.chunk_table(head)["text"].to_pylist() == ["alpha"]
    with pytest.raises(IndexCorruptError, match=r"columns that Driftline did not make: 'note'"):
        corpus.refresh()
    assert Index(table_of(corpus).parent, KB).head() == head


def test_a_column_that_is_gone_is_a_corrupt_index(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    lancedb.connect(table_of(corpus).parent).open_table(KB).drop_columns(["trust"])

    with pytest.raises(IndexCorruptError, match="lacks the columns 'trust'"):
        Index(table_of(corpus).parent, KB).head()


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({"driftline.format": "2"}, "does not say by what it was made"),
        ({"driftline.format": "2", "driftline.recipe": "{"}, "does not say by what it was made"),
    ],
    ids=["no-recipe", "torn-recipe"],
)
def test_a_table_that_does_not_say_what_made_it_is_refused(
    tmp_path: Path, recorded: dict[str, str], said: str
):
    schema = pa.schema([pa.field("id", pa.string())], metadata=recorded)
    lancedb.connect(tmp_path).create_table(KB, pa.table({"id": ["x"]}, schema=schema))

    with pytest.raises(IndexCorruptError, match=said):
        Index(tmp_path, KB).head()


def test_a_folder_that_takes_no_writes_is_named_with_its_user_and_mode(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.index = Index(Path("/proc/driftline"), KB)  # nobody may write there, root neither

    with pytest.raises((IndexUnwritableError, OSError)) as raised:
        corpus.refresh()

    assert "driftline" in str(raised.value)


def test_going_back_makes_an_earlier_version_the_newest_and_keeps_the_later_ones(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    before = corpus.index.content_digest(first)

    newest = IndexHealth(corpus.index).go_back(first)

    assert newest == Snapshot(KB, 4)
    assert IndexHealth(corpus.index).set_aside_unreadable(newest) == ()
    assert corpus.index.head() == newest
    assert corpus.index.content_digest(newest) == before
    assert corpus.index.holds(second)


def test_going_back_past_a_version_that_cannot_be_read_takes_a_new_name_and_sets_it_aside(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    first, second = two
    manifest(corpus, second).write_bytes(b"")
    index = Index(table_of(corpus).parent, KB, keeper=Told().keeper(second))

    before = index.content_digest(first)  # read past the damaged one, which is not touched

    newest = IndexHealth(index).go_back(first, above=second.version + 4)
    left = manifest(corpus, second).exists()
    aside = IndexHealth(index).set_aside_unreadable(newest)

    assert (newest, left) == (Snapshot(KB, second.version + 5), True)
    assert Index(table_of(corpus).parent, KB).content_digest(newest) == before
    assert [each.name.endswith(".quarantine") for each in aside] == [True]
    assert IndexHealth(index).quarantined() == aside
    assert IndexHealth(index).file_set_aside(second) == aside[0]
    assert IndexHealth(index).file_set_aside(first) is None
    assert not table_of(corpus).with_suffix(".restoring").exists()


def test_a_condemned_table_is_made_anew_from_the_documents_and_its_whole_vectors(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    corpus.embedder.embedded.clear()
    IndexHealth(corpus.index).condemn(1, "a test")

    made = corpus.refresh()

    assert made.snapshot.generation == 2
    assert corpus.texts() == {"a.md": "edited", "b.md": "beta"}
    assert corpus.embedder.embedded == []


def test_a_vector_that_is_damaged_is_not_taken_over_into_the_new_table(corpus: Corpus):
    corpus.write({f"{at}.md": f"text {at}" for at in range(8)})
    snapshot = corpus.refresh().snapshot
    truth = corpus.index.chunk_table(snapshot, vectors=True)
    [data] = (table_of(corpus) / "data").iterdir()
    vector = truth["vector"].combine_chunks().flatten().to_numpy()[:8].tobytes()
    content = data.read_bytes()
    at = content.index(vector)  # they are stored as they are
    data.write_bytes(content[: at + 2] + bytes([content[at + 2] ^ 64]) + content[at + 3 :])
    corpus.index = Index(table_of(corpus).parent, KB)
    damaged = IndexHealth(corpus.index).rows(snapshot)
    IndexHealth(corpus.index).condemn(1, "a test")
    corpus.embedder.embedded.clear()

    made = corpus.refresh().snapshot

    assert damaged.damaged_rows == 1
    assert len(corpus.embedder.embedded) == 1
    assert corpus.index.chunk_table(made, vectors=True).equals(truth)
    assert IndexHealth(corpus.index).rows(made).damaged_rows == 0


def test_a_condemned_table_that_cannot_be_opened_is_no_obstacle(
    corpus: Corpus, two: tuple[Snapshot, Snapshot]
):
    for file in corpus.index.folders.versions(1).values():
        file.write_bytes(b"")
    corpus.index = Index(table_of(corpus).parent, KB)
    IndexHealth(corpus.index).condemn(1, "a test")

    made = corpus.refresh().snapshot

    assert made.generation == 2
    assert corpus.texts() == {"a.md": "edited", "b.md": "beta"}


def test_a_sample_is_the_same_for_the_same_seed_and_finds_a_wrong_row(corpus: Corpus):
    corpus.write({f"{at}.md": f"text {at}" for at in range(8)})
    snapshot = corpus.refresh().snapshot
    health = IndexHealth(corpus.index)

    assert health.sample(snapshot, 5, seed=1).rows == 5
    assert health.sample(snapshot, 100, seed=1).rows == 8
    assert health.sample(snapshot, 100, seed=1).damaged_rows == 0


def test_upkeep_that_is_killed_between_removing_and_sealing_is_no_damage(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    table = table_of(corpus)
    gone = next((table / "_transactions").iterdir())
    seal(table, removing=True)
    gone.unlink()

    [checked] = IndexHealth(corpus.index).files(hashed=lambda _: True)

    assert checked.broken == ()
    seal(table)
    assert gone.relative_to(table).as_posix() not in read_seal(table).files
    assert not read_seal(table).removing


def test_a_table_without_a_seal_is_read_and_its_files_are_counted(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    snapshot = corpus.refresh().snapshot
    seal_file(table_of(corpus)).unlink()

    [checked] = IndexHealth(corpus.index).files(hashed=lambda _: True)

    assert checked.broken == ()
    assert checked.unsealed > 0
    assert IndexHealth(corpus.index).rows(snapshot).rows == 1


def test_an_index_of_format_1_is_read_and_has_nothing_to_hold_against():
    index = Index(Path(__file__).parent / "data" / "index_1", KB)

    found = IndexHealth(index).rows(Snapshot(KB, 2))

    assert (found.rows, found.damaged_rows, found.wrong) == (2, 0, ())


def test_generations_are_numbered_by_their_folders(tmp_path: Path):
    for name in ("docs.lance", "docs.3.lance", "docs.x.lance", "other.2.lance"):
        (tmp_path / name / "_versions").mkdir(parents=True)
        (tmp_path / name / "_versions" / "1.manifest").touch()

    assert TableFolders(tmp_path, KB).generations() == [1, 3]
