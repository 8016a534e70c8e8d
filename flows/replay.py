"""Replay a knowledge base's policy over its own past, beside a calendar of equal cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flows.checking.cost import retraining_cost
from flows.checking.past import Found, Origin
from flows.desk import Desk
from flows.steps import OnProgress, Perform
from monitors.corpus import Corpus
from monitors.records import Cost
from monitors.replaying.past import Version, past_of
from monitors.replaying.replay import Replay
from monitors.replaying.replay import replay as replay_past
from monitors.replaying.sketch import Piece, Sketch, Sketcher, sketch
from retrieval.folder_table import read_chunk_table
from retrieval.records import Body, Entry, Listing, Snapshot
from retrieval.sources import Source


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """A replay of one knowledge base; `cost` is that of one retraining."""

    kb: str
    origin: Origin
    replay: Replay
    cost: Cost


def replay(desk: Desk, perform: Perform, found: Found, *, budget: float | None) -> ReplayOutcome:
    """Read what is new in each version, and replay the policy; writes nothing."""
    reader = _Reader(desk)
    count = len(found.versions)

    def read(on_progress: OnProgress) -> list[Sketch]:
        sketches = []
        for done, version in enumerate(found.versions, start=1):
            sketches.append(reader.read(version.place))
            on_progress(done, count)
        return sketches

    try:
        sketches = perform(f"Reading {count} versions of {desk.name}", read)
    finally:
        found.close()
    versions = [
        Version(version.name, version.time, sketched.chunks)
        for version, sketched in zip(found.versions, sketches, strict=True)
    ]
    past = perform(f"Comparing {count} versions", lambda _: past_of(versions, sketches))
    policy, thresholds = desk.kb.retrain_policy(), desk.kb.thresholds()
    replayed = perform(
        "Replaying the policy", lambda _: replay_past(past, policy, thresholds, budget=budget)
    )
    cost = retraining_cost(desk.journal, desk.name, desk.kb)
    return ReplayOutcome(desk.name, found.origin, replayed, cost)


class _Reader:
    """Reads versions; a document that an earlier version had is not read again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sketcher = Sketcher()
        self._known: dict[tuple[str, str], Piece] = {}
        self._empty = self._sketcher.piece(Corpus((), (), (), (), ()))

    def read(self, place: Source | Snapshot) -> Sketch:
        """Return the sketch of a version: of a snapshot, or of a source that was never indexed."""
        return self._snapshot(place) if isinstance(place, Snapshot) else self._source(place)

    def _source(self, source: Source) -> Sketch:
        entries = source.list_documents().entries
        keys = {entry.uri: (entry.uri, entry.stamp or "") for entry in entries}
        fresh = tuple(entry for entry in entries if keys[entry.uri] not in self._known)
        table, _ = read_chunk_table(
            _Only(source, Listing(fresh)), parse_document=self._desk.parser.parse_body
        )
        self._learn([keys[entry.uri] for entry in fresh], Corpus.from_table(table))
        return self._sketch(keys.values())

    def _snapshot(self, snapshot: Snapshot) -> Sketch:
        documents = self._desk.index.outline(snapshot).documents
        columns = (documents[name].to_pylist() for name in ("uri", "document_digest"))
        keys = set(zip(*columns, strict=True))
        fresh = keys - self._known.keys()
        table = self._desk.index.chunk_table(snapshot, uris=[uri for uri, _ in fresh])
        self._learn(fresh, Corpus.from_table(table))
        return self._sketch(keys)

    def _learn(self, keys: Iterable[tuple[str, str]], corpus: Corpus) -> None:
        pieces = self._sketcher.pieces(corpus)
        self._known |= {key: pieces.get(key[0], self._empty) for key in keys}

    def _sketch(self, keys: Iterable[tuple[str, str]]) -> Sketch:
        return sketch(self._known[key] for key in keys)


@dataclass(frozen=True, slots=True)
class _Only:
    """A source of which only some documents are listed."""

    source: Source
    listing: Listing

    def fingerprint(self) -> str | None:
        return None

    def list_documents(self) -> Listing:
        return self.listing

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        return self.source.read(entry, unless=unless)
