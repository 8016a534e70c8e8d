"""One wrong bit anywhere in an index is found: by the seal of its files, and by its rows alone."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.index_health import IndexHealth
from retrieval.records import Snapshot
from retrieval.scan_cache import ScanCache
from retrieval.store import Index
from retrieval.table_seal import seal_file
from tests.retrieval.builders import KB, Corpus, HashingEmbedder, paragraph

FLIPS = 240
# Lance writes it over and over and reads without it, so no seal can hold it, and none has to.
HINT = "latest_version_hint.json"


@dataclass(frozen=True)
class Sound:
    """An index of two refreshes, what it says, and every file that it consists of."""

    folder: Path
    snapshot: Snapshot
    truth: pa.Table
    content: str

    @property
    def files(self) -> list[Path]:
        inside = (self.folder / f"{KB}.lance").rglob("*")
        return sorted(path for path in inside if path.is_file() and path.name != HINT)

    def index(self) -> Index:
        return Index(self.folder, KB)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("flips")
    (folder / "source").mkdir()
    index = Index(folder / "index", KB)
    corpus = Corpus(folder / "source", index, HashingEmbedder(), ScanCache(None))
    corpus.write({f"{at}.md": document(at) for at in range(12)})
    corpus.refresh()
    corpus.write({"1.md": "# A\n\nedited", "2.md": document(99)})
    corpus.delete("3.md")
    snapshot = corpus.refresh().snapshot
    truth = index.chunk_table(snapshot, vectors=True)
    return Sound(folder / "index", snapshot, truth, index.content_digest(snapshot))


def document(number: int) -> str:
    return "\n\n".join(f"# H{at}\n\n{paragraph(f'{number} {at}')}" for at in range(4))


@contextmanager
def flipped(file: Path, seed: int) -> Iterator[None]:
    """Let one bit of a file be wrong for the length of the block."""
    before = file.read_bytes()
    bit = random.Random(seed).randrange(8 * len(before))  # noqa: S311 - a place, not a secret
    damaged = bytearray(before)
    damaged[bit // 8] ^= 1 << bit % 8
    file.write_bytes(damaged)
    yield
    file.write_bytes(before)


def broken_files(sound: Sound) -> list[Path]:
    checked = IndexHealth(sound.index()).files(hashed=lambda _: True)
    return [broken.path for each in checked for broken in each.broken]


def found_by_rows(sound: Sound) -> bool:
    """Return whether reading alone shows that something is wrong."""
    index = sound.index()
    try:
        found = IndexHealth(index).rows(sound.snapshot)
        content = index.content_digest(sound.snapshot, found.documents)
    except (IndexCorruptError, SnapshotMissingError):
        return True
    return bool(found.damaged_rows or found.wrong or content != sound.content)


def test_nothing_is_found_where_nothing_is_wrong(sound: Sound):
    assert broken_files(sound) == []
    assert not found_by_rows(sound)
    assert IndexHealth(sound.index()).rows(sound.snapshot).rows == len(sound.truth)


def test_every_wrong_bit_is_found_by_the_seal_and_names_its_file(sound: Sound):
    rng = random.Random(6)  # noqa: S311 - a place, not a secret
    missed = []
    for seed in range(FLIPS):
        file = rng.choice(sound.files)
        with flipped(file, seed):
            if broken_files(sound) != [file]:
                missed.append((file, seed))

    assert missed == []


def test_every_wrong_bit_that_has_a_meaning_is_found_by_reading_alone(sound: Sound):
    # Without a seal, as in an index of an earlier version. What reading does not show is padding,
    # a statistic, the record of a transaction or an index: every row reads as it was written.
    files = [
        path for path in sound.files if path.parent.name in {"data", "_deletions", "_versions"}
    ]
    rng = random.Random(7)  # noqa: S311 - a place, not a secret
    outcome: Counter[str] = Counter()
    for seed in range(FLIPS // 2):
        with flipped(rng.choice(files), seed):
            if found_by_rows(sound):
                outcome["found"] += 1
            else:
                read = sound.index().chunk_table(sound.snapshot, vectors=True)
                outcome["no meaning" if read.equals(sound.truth) else "missed"] += 1

    assert outcome["missed"] == 0
    assert outcome["found"] > FLIPS // 16  # else nothing was tried


def test_a_damaged_seal_is_itself_found_and_says_nothing_of_the_files(sound: Sound):
    file = seal_file(sound.folder / f"{KB}.lance")

    for seed in range(20):
        with flipped(file, seed):
            assert broken_files(sound) == [file]
