"""Readers beside a refresh see one snapshot or the next, whole, and the one they hold stays."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retrieval.records import Snapshot
from retrieval.sources import Feed
from retrieval.store import Index
from retrieval.table_search import Query
from tests.retrieval.builders import KB, HashingEmbedder, KnowledgeBase, Shelf, rows_digest

READERS = 8
REFRESHES = 10
DOCUMENTS = 40


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def edition(number: int) -> dict[str, str]:
    return {f"{at:02}.md": f"# Document {at}\n\nedition {number}" for at in range(DOCUMENTS)}


class Reader:
    """Opens the index as a process of its own would, again and again, until it is told to stop."""

    def __init__(self, folder: Path, published: Snapshot, done: threading.Event) -> None:
        self._folder, self._done = folder, done
        self._published = published
        self._digest = rows_digest(folder, published)
        self.editions: list[int] = []

    def read(self) -> list[int]:
        query = Query("edition", HashingEmbedder().embed(["edition"])[0], limit=DOCUMENTS)
        while not self._done.is_set():
            index = Index(self._folder, KB)
            head = index.head()
            assert head is not None
            texts = index.chunk_table(head)["text"].to_pylist()
            assert len(texts) == DOCUMENTS
            [one] = set(texts)
            assert {hit.text for hit in index.search(head, query)} == {one}
            assert len(index.documents(head)) == index.count(head) == DOCUMENTS
            rows_digest(self._folder, head)
            assert rows_digest(self._folder, self._published) == self._digest
            self.editions.append(int(one.removeprefix("edition ")))
        return self.editions


def test_eight_readers_never_see_half_a_refresh(tmp_path: Path, shelf: Shelf):
    kb = KnowledgeBase(tmp_path, [Feed(shelf)])
    shelf.write(edition(0))
    published = kb.refresh().snapshot
    done = threading.Event()
    readers = [Reader(tmp_path / "index", published, done) for _ in range(READERS)]

    with ThreadPoolExecutor(READERS) as threads:
        reading = [threads.submit(reader.read) for reader in readers]
        try:
            for number in range(1, REFRESHES + 1):
                shelf.write(edition(number))
                if number % 5 == 0:  # made anew, in a table of its own
                    kb.embedder = HashingEmbedder(f"{number:064}")
                kb.refresh()
        finally:
            done.set()
        seen = [each.result() for each in reading]

    assert all(editions == sorted(editions) for editions in seen), "no reader went back in time"
    assert len({number for editions in seen for number in editions}) > 1
