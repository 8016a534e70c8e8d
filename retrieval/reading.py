"""From sources to what they hold now: which documents, read only where they may have changed."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.embedders import OnProgress
from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.failpoints import reach
from retrieval.records import (
    Body,
    Chunk,
    Completeness,
    DocumentState,
    Entry,
    Flag,
    Flagged,
    Listing,
    Refusal,
    RefusalCode,
)
from retrieval.scan_cache import Scan, ScanCache, Seen
from retrieval.sifting import Sifter
from retrieval.sources import Feed


@dataclass(frozen=True, slots=True)
class Cutting:
    """What a document was cut into, and what admission noticed in it and took out of it."""

    chunks: tuple[Chunk, ...]
    flags: tuple[Flag, ...] = ()
    neutralised: int = 0


@dataclass(frozen=True, slots=True)
class Fresh:
    """A document that has to be cut, as it was read; `digest` is of its bytes.

    `held` is what the index has of it.
    """

    feed: Feed
    entry: Entry
    uri: str
    body: Body
    digest: str
    held: DocumentState | None


Cut = Callable[[str, Body, str], Cutting]
"""Parses a document, given its uri, body and trust, and cuts it into chunks."""

CutAway = Callable[[Iterator[Fresh]], Iterator[tuple[Fresh, Cutting | DocumentRefusedError]]]
"""Parses and cuts documents somewhere else, several at a time; the outcomes keep their order.

An outcome comes with its document, whose bytes may have been let go of.
"""

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
    cut_away: CutAway | None = None,
    on_progress: OnProgress | None = None,
) -> Reading:
    """Return what the sources hold; chunks of what is not in `before` as it is go to the sifter.

    With `everything`, those of unchanged documents do too. A document whose stamp is the one that
    was seen before is not read; one that was refused is, unless its refusal holds. With
    `cut_away` documents are read here and cut there. Of several sources one may be out of reach;
    raises SourceUnreachableError if all are.
    """
    reading = Reading(sifter)
    _list(feeds, reading)
    reach("refresh.listed")
    readers = {
        feed.name: _FeedReader(
            feed, reading, cut, before, cache.seen(feed.name), everything, refusals_hold
        )
        for feed in feeds
    }
    taken = _take_all(readers, reading, on_progress)
    if cut_away is None:
        for fresh in taken:
            readers[fresh.feed.name].cut_here(fresh)
    else:
        for fresh, outcome in cut_away(taken):
            readers[fresh.feed.name].settle(fresh, outcome)
    sifter.flush()
    return reading


def _take_all(
    readers: Mapping[str, "_FeedReader"], reading: Reading, on_progress: OnProgress | None
) -> Iterator[Fresh]:
    """Yield the documents that have to be cut; all others are dealt with on the way."""
    total = sum(len(listing.entries) for listing in reading.listings.values())
    done = 0
    for name, reader in readers.items():
        for entry in reading.listings[name].entries:
            fresh = reader.take(entry)
            if fresh is not None:
                yield fresh
            reach("refresh.document")
            done += 1
            if on_progress is not None:
                on_progress(done, total)
        reader.forget_gone()


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
    _waiting: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> Fresh | None:
        """Take in a document that is as it was, or refuse it; return one that has to be cut."""
        uri = self.feed.uri_of(entry.uri)
        if uri in self.reading.documents or uri in self._waiting:
            self._refuse(uri, RefusalCode.KEY, "the source lists it twice")
            return None
        seen, held = self.seen.get(entry.uri), self.before.get(uri)
        same = seen is not None and entry.stamp is not None and entry.stamp == seen.stamp
        if same and seen is not None and seen.refusal is not None and self.refusals_hold:
            self._refuse(uri, seen.refusal, seen.reason)
        elif same and held is not None and self._is_held(seen, held):
            self._keep(uri, held)
        else:
            return self._read(entry, uri, seen, held)
        return None

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

    def _read(
        self, entry: Entry, uri: str, seen: Seen | None, held: DocumentState | None
    ) -> Fresh | None:
        unless = seen.stamp if seen is not None and self._is_held(seen, held) else None
        try:
            body = self.feed.source.read(entry, unless=unless)
        except DocumentRefusedError as error:
            self._refuse(uri, error.reason_code, error.reason)
            return None
        if body is None:
            if held is not None:
                self._keep(uri, held)
            return None
        state = DocumentState(hashlib.sha256(body.data).hexdigest(), self.feed.trust)
        if held != state or self.everything:
            self._waiting.add(uri)
            return Fresh(self.feed, entry, uri, body, state.digest, held)
        self._keep(uri, state)
        self._remember(entry, Seen(body.stamp, state.digest) if body.stamp else None)
        return None

    def cut_here(self, fresh: Fresh) -> None:
        """Cut a document in this process and take it in."""
        try:
            outcome: Cutting | DocumentRefusedError = self.cut(
                fresh.uri, fresh.body, self.feed.trust
            )
        except DocumentRefusedError as error:
            outcome = error
        self.settle(fresh, outcome)

    def settle(self, fresh: Fresh, outcome: Cutting | DocumentRefusedError) -> None:
        """Take in a document that was cut, or refuse it."""
        stamp = fresh.body.stamp
        self._waiting.discard(fresh.uri)
        if isinstance(outcome, DocumentRefusedError):
            self._refuse(fresh.uri, outcome.reason_code, outcome.reason)
            lasting = outcome.reason_code in _LASTING
            refused = Seen(stamp or "", fresh.digest, outcome.reason_code, outcome.reason)
            self._remember(fresh.entry, refused if lasting and stamp else None)
            return
        self._send_on(fresh, outcome)
        self._keep(fresh.uri, DocumentState(fresh.digest, self.feed.trust))
        self._remember(fresh.entry, Seen(stamp, fresh.digest) if stamp else None)

    def _send_on(self, fresh: Fresh, cutting: Cutting) -> None:
        held = fresh.held
        known = held is not None and not self.everything
        self.reading.sifter.add(fresh.uri, cutting.chunks, held=known)
        self.reading.neutralised += cutting.neutralised
        if cutting.flags:
            self.reading.flagged.append(Flagged(fresh.uri, cutting.flags))
        if held is not None and held.digest != fresh.digest:
            says = "\n".join(chunk.digest for chunk in cutting.chunks)
            self.reading.bodies[fresh.uri] = hashlib.sha256(says.encode()).hexdigest()

    def _keep(self, uri: str, state: DocumentState) -> None:
        self.reading.documents[uri] = state
        self.reading.listed[self.feed.name] = self.reading.listed.get(self.feed.name, 0) + 1

    def _refuse(self, uri: str, code: RefusalCode, reason: str) -> None:
        self.reading.refused.append(Refusal(uri, code, reason))

    def _remember(self, entry: Entry, seen: Seen | None) -> None:
        if self.seen.get(entry.uri) != seen:
            self.reading.scan.documents[self.feed.name, entry.uri] = seen
