"""From sources to what they hold now: which documents, read only where they may have changed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.embedders import OnProgress
from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.failpoints import reach
from retrieval.records import (
    Body,
    Chunk,
    Completeness,
    Document,
    DocumentState,
    Entry,
    Flagged,
    Listing,
    Refusal,
    RefusalCode,
)
from retrieval.scan_cache import Scan, ScanCache, Seen
from retrieval.sifting import Sifter
from retrieval.sources import Feed

Cut = Callable[[str, Body, str], tuple[Document, tuple[Chunk, ...]]]
"""Parses a document, given its uri, body and trust, and cuts it into chunks."""

# A document refused for another reason may be fine at the next run, with not a byte changed.
_LASTING = frozenset(RefusalCode) - {
    RefusalCode.CHANGING,
    RefusalCode.TIMEOUT,
    RefusalCode.UNREADABLE,
    RefusalCode.VANISHED,
    RefusalCode.LIST_DENIED,
}


@dataclass
class Reading:
    """What the sources hold now.

    `documents` are those that can be taken in; the chunks of the changed ones went to `sifter`.
    `bodies` digests what each edited document says; `listed` counts documents by source.
    """

    sifter: Sifter
    scan: Scan = field(default_factory=Scan)
    documents: dict[str, DocumentState] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    flagged: list[Flagged] = field(default_factory=list)
    bodies: dict[str, str] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    neutralised: int = 0

    @property
    def lasting(self) -> bool:
        """True if an unchanged source would be read the same way again."""
        whole = all(
            listing.completeness is Completeness.COMPLETE for listing in self.listings.values()
        )
        return whole and all(refusal.code in _LASTING for refusal in self.refused)


def read_sources(
    feeds: Sequence[Feed],
    before: Mapping[str, DocumentState],
    cut: Cut,
    sifter: Sifter,
    cache: ScanCache,
    *,
    everything: bool = False,
    refusals_hold: bool = True,
    on_progress: OnProgress | None = None,
) -> Reading:
    """Return what the sources hold; chunks of what is not in `before` as it is go to the sifter.

    With `everything`, those of unchanged documents do too. A document whose stamp is the one that
    was seen before is not read; one that was refused is, unless its refusal holds. Of several
    sources one may be out of reach; raises SourceUnreachableError if all are.
    """
    reading = Reading(sifter)
    _list(feeds, reading)
    reach("refresh.listed")
    total = sum(len(listing.entries) for listing in reading.listings.values())
    done = 0
    for feed in feeds:
        seen = cache.seen(feed.name)
        reader = _FeedReader(feed, reading, cut, before, seen, everything, refusals_hold)
        for entry in reading.listings[feed.name].entries:
            reader.take(entry)
            reach("refresh.document")
            done += 1
            if on_progress is not None:
                on_progress(done, total)
        reader.forget_gone()
    sifter.flush()
    return reading


def _list(feeds: Sequence[Feed], reading: Reading) -> None:
    errors = []
    for feed in feeds:
        try:
            listing = feed.source.list_documents()
        except SourceUnreachableError as error:
            errors.append(error)
            listing = Listing((), Completeness.FAILED, reason=str(error))
        reading.listings[feed.name] = listing
        reading.refused += [
            Refusal(feed.uri_of(refusal.uri), refusal.code, refusal.reason)
            for refusal in listing.refused
        ]
    if errors and len(errors) == len(feeds):
        raise errors[0]


@dataclass
class _FeedReader:
    """Takes in the documents of one source."""

    feed: Feed
    reading: Reading
    cut: Cut
    before: Mapping[str, DocumentState]
    seen: Mapping[str, Seen]
    everything: bool
    refusals_hold: bool

    def take(self, entry: Entry) -> None:
        uri = self.feed.uri_of(entry.uri)
        if uri in self.reading.documents:
            self._refuse(uri, RefusalCode.KEY, "the source lists it twice")
            return
        seen, held = self.seen.get(entry.uri), self.before.get(uri)
        same = seen is not None and entry.stamp is not None and entry.stamp == seen.stamp
        if same and seen is not None and seen.refusal is not None and self.refusals_hold:
            self._refuse(uri, seen.refusal, seen.reason)
        elif same and held is not None and self._is_held(seen, held):
            self._keep(uri, held)
        else:
            self._read(entry, uri, seen, held)

    def forget_gone(self) -> None:
        """Drop what is known of documents that a complete listing no longer shows."""
        listing = self.reading.listings[self.feed.name]
        if listing.completeness is Completeness.COMPLETE:
            gone = self.seen.keys() - {entry.uri for entry in listing.entries}
            self.reading.scan.documents |= {(self.feed.name, uri): None for uri in gone}

    def _is_held(self, seen: Seen | None, held: DocumentState | None) -> bool:
        """True if the index holds what was seen, so that the document need not be read."""
        if self.everything or seen is None or held is None:
            return False
        return held == DocumentState(seen.digest, self.feed.trust)

    def _read(self, entry: Entry, uri: str, seen: Seen | None, held: DocumentState | None) -> None:
        unless = seen.stamp if seen is not None and self._is_held(seen, held) else None
        try:
            body = self.feed.source.read(entry, unless=unless)
        except DocumentRefusedError as error:
            self._refuse(uri, error.reason_code, error.reason)
            return
        if body is None:
            if held is not None:
                self._keep(uri, held)
            return
        self._take_in(entry, uri, body, held)

    def _take_in(self, entry: Entry, uri: str, body: Body, held: DocumentState | None) -> None:
        state = DocumentState(hashlib.sha256(body.data).hexdigest(), self.feed.trust)
        try:
            if held != state or self.everything:
                self._cut(uri, body, held)
        except DocumentRefusedError as error:
            self._refuse(uri, error.reason_code, error.reason)
            lasting = error.reason_code in _LASTING
            refused = Seen(body.stamp or "", state.digest, error.reason_code, error.reason)
            self._remember(entry, refused if lasting and body.stamp else None)
            return
        self._keep(uri, state)
        self._remember(entry, Seen(body.stamp, state.digest) if body.stamp else None)

    def _cut(self, uri: str, body: Body, held: DocumentState | None) -> None:
        document, chunks = self.cut(uri, body, self.feed.trust)
        self.reading.sifter.add(uri, chunks, held=held is not None and not self.everything)
        self.reading.neutralised += document.neutralised
        if document.flags:
            self.reading.flagged.append(Flagged(uri, document.flags))
        if held is not None and held.digest != document.digest:
            says = "\n".join(chunk.digest for chunk in chunks)
            self.reading.bodies[uri] = hashlib.sha256(says.encode()).hexdigest()

    def _keep(self, uri: str, state: DocumentState) -> None:
        self.reading.documents[uri] = state
        self.reading.listed[self.feed.name] = self.reading.listed.get(self.feed.name, 0) + 1

    def _refuse(self, uri: str, code: RefusalCode, reason: str) -> None:
        self.reading.refused.append(Refusal(uri, code, reason))

    def _remember(self, entry: Entry, seen: Seen | None) -> None:
        if self.seen.get(entry.uri) != seen:
            self.reading.scan.documents[self.feed.name, entry.uri] = seen
