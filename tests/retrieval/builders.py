"""Builders of records, a deterministic embedder, and sources that are written like a dict."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
from numpy.typing import NDArray

from retrieval import table_rows
from retrieval.drafting import Draft, plan_refresh
from retrieval.embedders import PROBE_TEXTS
from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.guards import RefreshLimits, guard
from retrieval.records import (
    Body,
    Chunk,
    Completeness,
    Entry,
    Flag,
    Listing,
    Refreshed,
    RefreshPlan,
    RefusalCode,
    Snapshot,
    embedded_text,
)
from retrieval.refresh import apply_refresh
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed, Source
from retrieval.sources.folder import FolderSource, path_from_uri
from retrieval.spool import Row
from retrieval.store import Index
from retrieval.vector_journal import VectorJournal

KB = "docs"
DIMENSION = 8


@dataclass
class HashingEmbedder:
    """Vectors from the text's own hash, tokens from its words: fast, and the same everywhere.

    It keeps every text it embedded, so that a test can say what was embedded and what was not;
    the probes, which tell embedders apart, are not counted.
    """

    fingerprint: str = "a" * 64
    dimension: int = DIMENSION
    max_tokens: int = 64
    embedded: list[str] = field(default_factory=list)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [2 + len(re.findall(r"\w{1,6}|[^\w\s]", text)) for text in texts]

    def embed(
        self, texts: Sequence[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        self.embedded += [text for text in texts if text not in PROBE_TEXTS]
        if on_progress is not None:
            on_progress(len(texts), len(texts))
        rows = np.array([_numbers(text) for text in texts], dtype=np.float32)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def embed_query(self, text: str) -> NDArray[np.float32]:
        question: NDArray[np.float32] = self.embed([text])[0]
        return question


def _numbers(text: str) -> list[int]:
    digest = hashlib.sha256(text.encode()).digest()
    return [byte - 128 or 1 for byte in digest[:DIMENSION]]


@dataclass
class Corpus:
    """A folder of documents, its index and an embedder: all that a refresh needs."""

    folder: Path
    index: Index
    embedder: HashingEmbedder
    cache: ScanCache = field(default_factory=lambda: ScanCache(None))

    @property
    def source(self) -> FolderSource:
        return FolderSource(self.folder)

    def write(self, documents: Mapping[str, str | bytes]) -> None:
        for uri, content in documents.items():
            path = self.path(uri)
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 any bytes
            with open(path, "wb") as file:  # noqa: PTH123 any bytes
                file.write(content.encode() if isinstance(content, str) else content)

    def delete(self, *uris: str) -> None:
        for uri in uris:
            os.unlink(self.path(uri))  # noqa: PTH108 any bytes

    def path(self, uri: str) -> str:
        return f"{self.folder}/{path_from_uri(uri)}"

    def draft(self, source: Source | None = None) -> Draft:
        feeds = (Feed(source or self.source),)
        return plan_refresh(feeds, self.index, self.embedder, cache=self.cache)

    def plan(self, source: Source | None = None) -> RefreshPlan:
        with self.draft(source) as draft:
            return draft.plan

    def chunks(self) -> list[Chunk]:
        """Return the chunks that a refresh would write."""
        with self.draft() as draft:
            draft.spool.keep(dict.fromkeys(_digests(draft), np.zeros(DIMENSION, np.float32)))
            return [row.chunk for rows in draft.spool.rows() for row in rows]

    def apply(self, draft: Draft, *, run_id: str = "run") -> Refreshed:
        return apply_refresh(draft, self.index, self.embedder, run_id=run_id, cache=self.cache)

    def refresh(self, *, run_id: str = "run") -> Refreshed:
        with self.draft() as draft:
            return self.apply(draft, run_id=run_id)

    def planned_refresh(self, source: Source | None = None) -> tuple[RefreshPlan, Refreshed]:
        with self.draft(source) as draft:
            return draft.plan, self.apply(draft)

    def guarded_refresh(self, *, accepted: str | None = None) -> Refreshed:
        with self.draft() as draft:
            guard(draft.plan, RefreshLimits(), accepted)
            return self.apply(draft)

    def texts(self) -> dict[str, str]:
        """Return the newest snapshot's text of each document, chunks joined."""
        head = self.index.head()
        if head is None:
            return {}
        joined: dict[str, list[str]] = {}
        for row in self.index.chunk_table(head).to_pylist():
            joined.setdefault(row["uri"], []).append(row["text"])
        return {uri: "\n\n".join(parts) for uri, parts in joined.items()}


@dataclass
class Shelf:
    """A source in memory that vouches for its stamps, counts what is read, and has moods."""

    completeness: Completeness = Completeness.COMPLETE
    hidden: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    identity: str | None = None
    calm: bool = False
    reads: list[str] = field(default_factory=list)
    _documents: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    _writes: int = 0

    def write(self, documents: Mapping[str, str | bytes]) -> None:
        for uri, content in documents.items():
            self._writes += 1
            data = content.encode() if isinstance(content, str) else content
            self._documents[uri] = (data, self._writes)

    def touch(self, uri: str) -> None:
        self.write({uri: self._documents[uri][0]})

    def delete(self, *uris: str) -> None:
        self._writes += 1
        for uri in uris:
            del self._documents[uri]

    def fingerprint(self) -> str | None:
        return f"{self._writes} {self.hidden} {self.locked}" if self.calm else None

    def list_documents(self) -> Listing:
        if self.completeness is Completeness.FAILED:
            msg = "The shelf is out of reach."
            raise SourceUnreachableError(msg)
        entries = tuple(
            Entry(uri, len(data), stamp=str(version))
            for uri, (data, version) in sorted(self._documents.items())
            if uri not in self.hidden
        )
        reason = "hidden" if self.hidden else ""
        return Listing(entries, self.completeness, reason=reason, identity=self.identity)

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        self.reads.append(entry.uri)
        if entry.uri in self.locked:
            raise DocumentRefusedError(RefusalCode.UNREADABLE, "it cannot be read: locked")
        data, version = self._documents[entry.uri]
        return None if unless == str(version) else Body(data, str(version))


@dataclass
class KnowledgeBase:
    """An index of several sources with all that a refresh leaves behind, in one folder.

    Index, cache and journal are opened anew each time, as by a process of its own.
    """

    folder: Path
    feeds: Sequence[Feed]
    embedder: HashingEmbedder = field(default_factory=HashingEmbedder)
    max_tokens: int | None = None
    grace: timedelta = timedelta(0)

    @property
    def index(self) -> Index:
        return Index(self.folder / "index", KB)

    @property
    def cache(self) -> ScanCache:
        return ScanCache(self.folder / "scan.db")

    @property
    def journal(self) -> VectorJournal:
        return VectorJournal(self.folder / "journal.db", self.embedder.fingerprint)

    def use(self, fingerprint: str) -> HashingEmbedder:
        """Change to another embedder and return it."""
        self.embedder = HashingEmbedder(fingerprint)
        return self.embedder

    def draft(self, *, now: datetime | None = None) -> Draft:
        return plan_refresh(
            self.feeds,
            self.index,
            self.embedder,
            cache=self.cache,
            journal=self.journal,
            max_tokens=self.max_tokens,
            grace=self.grace,
            now=now,
        )

    def plan(self, *, now: datetime | None = None) -> RefreshPlan:
        with self.draft(now=now) as draft:
            return draft.plan

    def apply(
        self, draft: Draft, *, on_progress: Callable[[int, int], None] | None = None
    ) -> Refreshed:
        return apply_refresh(
            draft,
            self.index,
            self.embedder,
            run_id="run",
            cache=self.cache,
            journal=self.journal,
            on_progress=on_progress,
        )

    def refresh(self, *, now: datetime | None = None) -> Refreshed:
        with self.draft(now=now) as draft:
            return self.apply(draft)

    def texts(self, snapshot: Snapshot | None = None) -> dict[str, list[str]]:
        """Return what the embedder read of each document of a snapshot, by default the newest."""
        found: dict[str, list[str]] = {}
        at = snapshot or self.index.head()
        rows = self.index.chunk_table(at).to_pylist() if at else []
        for row in rows:
            text = embedded_text(tuple(row["headings"]), row["text"])
            found.setdefault(row["uri"], []).append(text)
        return found

    def rows_digest(self) -> str | None:
        """Return the sha256 over every row of the newest snapshot, vectors included."""
        head = self.index.head()
        return rows_digest(self.folder / "index", head) if head else None


def single(folder: Path, **documents: str) -> tuple[Shelf, KnowledgeBase]:
    """Return a knowledge base of one shelf, its documents named without the ending."""
    shelf = Shelf()
    shelf.write({f"{name}.md": text for name, text in documents.items()})
    return shelf, KnowledgeBase(folder, [Feed(shelf)])


def double(folder: Path) -> tuple[Shelf, Shelf, KnowledgeBase]:
    """Return a knowledge base of two shelves, `one` and `two`, with two documents each."""
    one, two = Shelf(), Shelf()
    one.write({"a.md": "alpha", "b.md": "beta"})
    two.write({"a.md": "gamma", "c.md": "delta"})
    return one, two, KnowledgeBase(folder, [Feed(one, "one"), Feed(two, "two")])


def rows_digest(folder: Path, snapshot: Snapshot) -> str:
    """Return the sha256 over every value of every row but the run's id; check that rows are whole.

    Reads the table itself, past the index.
    """
    generation = f".{snapshot.generation}" if snapshot.generation > 1 else ""
    table = lancedb.connect(folder).open_table(f"{snapshot.kb}{generation}")
    table.checkout(snapshot.version)
    digests: list[tuple[str, str]] = []
    for values in table.to_arrow().to_pylist():
        made = table_rows.row_digest(_row_from(values))
        assert values["row_digest"] == made, "a row is not what it was written as"
        assert values["document"] == table_rows.document_key(values["uri"])
        digests.append((values["id"], made))
    assert len(dict(digests)) == len(digests), "two rows have one id"
    return hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()


def _row_from(values: dict[str, Any]) -> Row:
    order = values["reading_order"]
    named = ("id", "uri", "title", "text", "digest", "media_type", "modified_at", "trust")
    chunk = Chunk(
        **{name: values[name] for name in named},
        ordinal=0,
        headings=tuple(values["headings"]),
        document_digest=values["document_digest"] or "",
        flags=tuple(map(Flag, values["flags"])),
    )
    return Row(chunk, np.array(values["vector"], np.float32), tuple(order) if order else None)


def _digests(draft: Draft) -> list[str]:
    return [digest for digests in draft.spool.missing_digests() for digest in digests]


def paragraph(seed: str, *, words: int = 12) -> str:
    """Return a paragraph of made-up words, the same for the same seed.

    >>> paragraph("a", words=2) == paragraph("a", words=2) != paragraph("b", words=2)
    True
    """
    made = (hashlib.sha256(f"{seed} {at}".encode()).hexdigest()[:5] for at in range(words))
    return " ".join(made) + "."
