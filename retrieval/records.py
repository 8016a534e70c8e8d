"""The nouns of retrieval: documents, chunks, listings, plans, snapshots and hits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from retrieval.normal_form import normal_digest

EngineName = Literal[
    "sentence-transformers",
    "torch-float32",
    "torch-bfloat16",
    "openvino-float32",
    "openvino-bfloat16",
]
"""What computes an embedding model's vectors on this machine."""

KB_NAME = r"[a-z0-9][a-z0-9_-]*"
"""What a knowledge base may be called: it names a folder, a table and a run."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent version of a knowledge base's index, written `docs@42`.

    An index that was made anew, by another embedder or cut another way, is another table, a
    generation; from the second on it is part of the name: `docs@2.7`.

    >>> str(Snapshot("docs", 42)), str(Snapshot("docs", 7, generation=2))
    ('docs@42', 'docs@2.7')
    >>> Snapshot.parse("docs@42").version
    42
    """

    kb: str
    version: int
    generation: int = field(default=1, kw_only=True)

    def __str__(self) -> str:
        generation = f"{self.generation}." if self.generation > 1 else ""
        return f"{self.kb}@{generation}{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KB@VERSION` back; raise ValueError for anything else."""
        match = re.fullmatch(rf"({KB_NAME})@(?:([1-9][0-9]*)\.)?([1-9][0-9]*)", text)
        if match is None or match[2] == "1":
            msg = f"Not a snapshot: {text!r}. Write it as KB@VERSION, e.g. 'docs@42'."
            raise ValueError(msg)
        return cls(match[1], int(match[3]), generation=int(match[2] or 1))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how an index looks for given documents: another recipe is another table.

    `embedder` is the embedder's fingerprint; `cutting` a digest of how documents are read and cut
    into chunks.
    """

    embedder: str
    cutting: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One document as a source lists it, before it is read.

    A uri is valid Unicode, whatever the source's names are made of, and unique in its source.
    `modified_at` is what the source claims; it is shown, never used to detect a change. A `stamp`
    is what the source guarantees to differ once the bytes differ (a folder: device, inode, size
    and both times; git: the blob's id; an object store: the ETag); None if it guarantees nothing,
    and then the document is read to see whether it changed.
    """

    uri: str
    size: int | None
    modified_at: datetime | None = None
    stamp: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of one document as they were read.

    `stamp` belongs to exactly these bytes; None if the source cannot vouch for that. `media_type`
    is what the source says it is, None where the uri's ending has to tell.
    """

    data: bytes
    stamp: str | None = None
    media_type: str | None = None
    modified_at: datetime | None = None


class RefusalCode(StrEnum):
    """Why a document, or a folder of documents, was not taken in. Scripts may rely on these."""

    BINARY = "DOC_BINARY"
    CHANGING = "DOC_CHANGING"
    DAMAGED = "DOC_DAMAGED"
    DENIED = "DOC_DENIED"
    EMPTY = "DOC_EMPTY"
    ENCODING = "DOC_ENCODING"
    ENCRYPTED = "DOC_ENCRYPTED"
    FORBIDDEN = "DOC_FORBIDDEN"
    KEY = "DOC_KEY"
    NOT_A_FILE = "DOC_NOT_A_FILE"
    TIMEOUT = "DOC_TIMEOUT"
    TOO_BIG = "DOC_TOO_BIG"
    UNREADABLE = "DOC_UNREADABLE"
    UNSAFE = "DOC_UNSAFE"
    VANISHED = "DOC_VANISHED"
    LINK_OUTSIDE = "LINK_OUTSIDE"
    LIST_DENIED = "LIST_DENIED"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not taken in, and why in words. A uri that ends in / is a folder with all in it."""

    uri: str
    code: RefusalCode
    reason: str


class Completeness(StrEnum):
    """How much of a source its listing saw. Only a complete listing may remove documents."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything a source says it holds, ordered by uri.

    `reason` says in words why it is not complete. `identity` names the place itself, such as the
    device and inode of a folder: where it changes, the source was moved or replaced.
    """

    entries: tuple[Entry, ...]
    completeness: Completeness = Completeness.COMPLETE
    refused: tuple[Refusal, ...] = ()
    reason: str = ""
    identity: str | None = None


class Flag(StrEnum):
    """What admission noticed in a document. Flagged text is searchable, not trained on."""

    SECRET = "secret"  # noqa: S105 the flag, not one
    INJECTION = "injection"


@dataclass(frozen=True, slots=True)
class Section:
    """A run of text under one heading; `headings` is the trail from the outermost heading down."""

    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed document. `digest` is the sha256 of its bytes as the source gave them.

    `neutralised` counts the control, bidi and zero-width characters that admission took out.
    """

    uri: str
    title: str
    sections: tuple[Section, ...]
    media_type: str
    digest: str
    modified_at: datetime | None = None
    trust: str = "trusted"
    flags: tuple[Flag, ...] = ()
    neutralised: int = 0

    @property
    def text(self) -> str:
        """The whole text, sections in reading order."""
        return "\n\n".join(section.text for section in self.sections)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The piece that is embedded.

    `id` is the sha256 of uri, text digest and occurrence, never of a position, so an inserted
    paragraph renumbers nothing. `digest` is the sha256 of exactly what the embedder reads (the
    heading trail and the text): a vector belongs to (embedder, digest). `normal_digest` is the
    sha256 of the text without markup, case and white space: reformatting leaves it as it was.
    `modified_at` is what the source claimed of the document when this text came into it.
    """

    id: str
    uri: str
    ordinal: int
    title: str
    headings: tuple[str, ...]
    text: str
    digest: str
    document_digest: str
    media_type: str
    modified_at: datetime | None = None
    trust: str = "trusted"
    flags: tuple[Flag, ...] = ()

    @property
    def normal_digest(self) -> str:
        """The sha256 of the text's normal form; worked out when it is asked for."""
        return normal_digest(self.text)

    @property
    def embedded_text(self) -> str:
        """What the embedder reads."""
        return embedded_text(self.headings, self.text)


def embedded_text(headings: tuple[str, ...], text: str) -> str:
    r"""Return what the embedder reads: the heading trail on a line of its own, then the text.

    >>> embedded_text(("Guide", "Install"), "Run pip.")
    'Guide > Install\nRun pip.'
    """
    return "\n".join((" > ".join(headings), text)) if headings else text


@dataclass(frozen=True, slots=True)
class Move:
    """A document whose bytes are unchanged under another uri."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What the index holds of a document, and what changing makes it an edit."""

    digest: str
    trust: str


@dataclass(frozen=True, slots=True)
class DocumentHeader:
    """What the index says of a document as a whole: the ids of its chunks in reading order, too."""

    title: str
    media_type: str
    trust: str
    flags: tuple[Flag, ...]
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flagged:
    """A document in which admission noticed something."""

    uri: str
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class SourcePart:
    """What one source of a knowledge base contributes to a plan; counts of documents.

    `name` is empty for an only source. `before` is what the index holds of it, `listed` what is
    taken in now, `missing` what a complete listing no longer shows, and `removed` the part of that
    which the plan removes. `replaced` says that the place is another one and most documents are
    strange. A source that the settings no longer name is not `configured`.
    """

    name: str
    completeness: Completeness
    before: int
    listed: int
    missing: int = 0
    removed: int = 0
    reason: str = ""
    replaced: bool = False
    configured: bool = True


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """What a refresh would change, before it changes it.

    Document fields hold uris, sorted. `documents_before` counts what the base holds; `kept` are
    the documents of the base that an incomplete listing did not show, or that were refused this
    time: their text stays as it is; `leaving` are gone from a complete listing, but not for as
    long as the grace period. `collapsed` are edited documents that now all say the same.
    `chunks` counts those of the added, edited and moved documents, or of all documents if the
    plan is to `rebuild`; `written` of them differ from what the index holds, and `embedded` texts
    need the embedder. `digest` names exactly this plan over exactly this base.
    `estimated_seconds` is None where nothing was measured yet.
    """

    kb: str
    base: Snapshot | None
    added: tuple[str, ...]
    edited: tuple[str, ...]
    moved: tuple[Move, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: int
    documents_before: int
    refused: tuple[Refusal, ...]
    chunks: int
    written: int
    embedded: int
    digest: str
    leaving: tuple[str, ...] = ()
    collapsed: tuple[str, ...] = ()
    flagged: tuple[Flagged, ...] = ()
    neutralised: int = 0
    rebuild: bool = False
    sources: tuple[SourcePart, ...] = ()
    estimated_seconds: float | None = None

    @property
    def changes_nothing(self) -> bool:
        """True if applying this plan would write no row."""
        changed = self.added or self.edited or self.moved or self.removed
        return not (changed or (self.rebuild and self.written))

    @property
    def reused(self) -> int:
        """Count of chunks that do without the embedder."""
        return self.chunks - self.embedded

    @property
    def completeness(self) -> Completeness:
        """How much of its sources this plan saw: the least complete one says."""
        grades = [part.completeness for part in self.sources]
        worst = (Completeness.FAILED, Completeness.PARTIAL, Completeness.COMPLETE)
        return next((grade for grade in worst if grade in grades), Completeness.COMPLETE)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did. `content_digest` names the snapshot's content whatever its version."""

    snapshot: Snapshot
    content_digest: str
    documents: int
    chunks: int
    embedded: int
    reused: int
    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question. `similarity` is the cosine, -1..1, higher is closer.

    `also` are the other documents with the same text under the same headings, sorted, at most 20.
    `found_by` says which ways led to it: "vector", "text" or both.
    """

    uri: str
    chunk: str
    title: str
    headings: tuple[str, ...]
    text: str
    similarity: float
    also: tuple[str, ...] = ()
    found_by: tuple[str, ...] = ()
