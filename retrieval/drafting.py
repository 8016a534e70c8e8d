"""Plan a refresh: what the sources hold, against what the index holds. Changes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from retrieval.calm import calm_key, recall
from retrieval.cutting import Parse, cutter, cutting_of
from retrieval.embedders import Embedder, OnProgress
from retrieval.failpoints import reach
from retrieval.fan_out import FanOut
from retrieval.parsing import parse_body
from retrieval.planning import (
    DocumentChanges,
    Grace,
    collapsed_documents,
    compare_documents,
    plan_digest,
)
from retrieval.reading import Cut, CutAway, Reading, read_sources
from retrieval.records import (
    Completeness,
    DocumentState,
    Recipe,
    Refreshed,
    RefreshPlan,
    Snapshot,
    SourcePart,
)
from retrieval.scan_cache import Scan, ScanCache
from retrieval.sifting import Sifter, order_of
from retrieval.sources import Feed, source_name
from retrieval.spool import Spool
from retrieval.store import Index
from retrieval.vector_journal import VectorJournal


@dataclass
class Draft:
    """A plan and what applying it needs: the new chunks, and what to note down afterwards.

    `gone` are the ids of the chunks that edited documents no longer have.
    `remembered` is what the refresh comes to where nothing changed at all since the last one.
    Holds disk space until it is closed.
    """

    plan: RefreshPlan
    recipe: Recipe
    spool: Spool
    scan: Scan
    gone: tuple[str, ...] = ()
    key: list[str] | None = None
    remembered: Refreshed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spool.close()


def plan_refresh(
    feeds: Sequence[Feed],
    index: Index,
    embedder: Embedder,
    *,
    cache: ScanCache | None = None,
    journal: VectorJournal | None = None,
    parse_document: Parse | None = None,
    max_tokens: int | None = None,
    grace: timedelta = timedelta(0),
    now: datetime | None = None,
    fan_out: FanOut | None = None,
    on_progress: OnProgress | None = None,
) -> Draft:
    """Return what a refresh would change, to be closed; writes nothing.

    Only a document that may have changed is read, only one that has is parsed and cut into chunks
    of `max_tokens`, by default and at most the embedder's window. An index that was made by
    another embedder, or cut another way, is planned anew as a whole. `now` is for the grace
    period alone. With `fan_out` documents are parsed and cut there, and nothing else is.
    Raises SourceUnreachableError.
    """
    cache, size = cache or ScanCache(None), _chunk_size(embedder, max_tokens)
    recipe = Recipe(embedder.fingerprint, cutting_of(size))
    matching = index.head(recipe)
    base = matching or index.head()
    key = calm_key(recipe, feeds)
    calm = recall(cache.notes("calm").get(""), key, matching)
    if calm is not None:
        return Draft(calm[0], recipe, Spool(), Scan(), (), key, calm[1])
    drafter = _Drafter(
        feeds=feeds,
        index=index,
        base=base,
        rebuild=base is not None and matching is None,
        before=index.documents(base),
        recipe=recipe,
        cache=cache,
        grace=Grace(grace, now or datetime.now(UTC), _since(cache)),
    )
    journal = journal or VectorJournal(None, recipe.embedder)
    cut = cutter(parse_document or parse_body, embedder, size)
    cut_away = fan_out.cutting(recipe, size) if fan_out is not None else None
    return drafter.draft(cut, cut_away, journal, key, on_progress)


def _chunk_size(embedder: Embedder, max_tokens: int | None) -> int:
    return min(max_tokens or embedder.max_tokens, embedder.max_tokens)


def _since(cache: ScanCache) -> dict[str, datetime]:
    return {uri: datetime.fromisoformat(time) for uri, time in cache.notes("leaving").items()}


@dataclass
class _Drafter:
    """One draft while it is made."""

    feeds: Sequence[Feed]
    index: Index
    base: Snapshot | None
    rebuild: bool
    before: Mapping[str, DocumentState]
    recipe: Recipe
    cache: ScanCache
    grace: Grace

    def draft(
        self,
        cut: Cut,
        cut_away: CutAway | None,
        journal: VectorJournal,
        key: list[str] | None,
        on_progress: OnProgress | None,
    ) -> Draft:
        spool = Spool()
        sifter = Sifter(spool, lambda uris: self.index.headers(self.base, uris))
        with spool.closed_by_an_error():
            reading = read_sources(
                self.feeds,
                self.before,
                cut,
                sifter,
                self.cache,
                everything=self.rebuild,
                # Another parser may read what the last one refused.
                refusals_hold=self.cache.notes("cutting") == self._cutting,
                cut_away=cut_away,
                on_progress=on_progress,
            )
            changes = self._changes(reading)
            self._carry_over(changes, spool)
            self._reuse_vectors(spool, journal)
            plan = self._plan(reading, changes)
        reach("refresh.planned")
        lasting = reading.lasting and not changes.leaving and not self.rebuild
        return Draft(
            plan,
            self.recipe,
            spool,
            self._scan(reading, changes),
            tuple(sifter.gone),
            key if lasting else None,
        )

    def _changes(self, reading: Reading) -> DocumentChanges:
        names = {feed.name for feed in self.feeds}
        incomplete = {
            name
            for name, listing in reading.listings.items()
            if listing.completeness is not Completeness.COMPLETE
        }
        return compare_documents(
            self.before,
            reading.documents,
            refused=reading.refused,
            unseen=lambda uri: source_name(uri, names) in incomplete,
            grace=self.grace,
        )

    def _carry_over(self, changes: DocumentChanges, spool: Spool) -> None:
        """Take what the sources do not show this time, but must stay, from the older table."""
        stays = (*changes.kept, *changes.leaving)
        if self.rebuild and self.base is not None and stays:
            for chunks in self.index.chunks_of(self.base, stays):
                spool.add(chunks, order_of(chunks))

    def _reuse_vectors(self, spool: Spool, journal: VectorJournal) -> None:
        """Give the new chunks every vector there is: of the index, of a run that was killed."""
        donors = self.index.donors(self.recipe.embedder)
        for digests in spool.missing_digests():
            found = journal.find(digests)
            for donor in donors:
                found |= self.index.vectors_for(donor, set(digests) - found.keys())
            spool.keep(found)

    def _plan(self, reading: Reading, changes: DocumentChanges) -> RefreshPlan:
        refused = tuple(sorted(reading.refused, key=lambda refusal: (refusal.uri, refusal.code)))
        embedded = reading.sifter.spool.missing
        return RefreshPlan(
            kb=self.index.kb,
            base=self.base,
            added=changes.added,
            edited=changes.edited,
            moved=changes.moved,
            removed=changes.removed,
            kept=changes.kept,
            leaving=changes.leaving,
            unchanged=changes.unchanged,
            documents_before=len(self.before),
            refused=refused,
            chunks=reading.sifter.chunks,
            written=reading.sifter.spool.chunks,
            embedded=embedded,
            digest=plan_digest(
                self.base,
                changes,
                reading.documents,
                refused,
                f"{self.recipe.embedder} {self.recipe.cutting}" if self.rebuild else "",
            ),
            collapsed=collapsed_documents(reading.bodies),
            flagged=tuple(sorted(reading.flagged, key=lambda flagged: flagged.uri)),
            neutralised=reading.neutralised,
            rebuild=self.rebuild,
            sources=self._parts(reading, changes),
            estimated_seconds=self._estimate(embedded),
        )

    def _parts(self, reading: Reading, changes: DocumentChanges) -> tuple[SourcePart, ...]:
        names = {feed.name for feed in self.feeds}
        before = _by_source(self.before, names)
        removed = _by_source(changes.removed, names)
        missing = _by_source((*changes.removed, *changes.leaving), names)
        parts = [
            SourcePart(
                name=feed.name,
                completeness=reading.listings[feed.name].completeness,
                before=before[feed.name],
                listed=reading.listed.get(feed.name, 0),
                missing=missing[feed.name],
                removed=removed[feed.name],
                reason=reading.listings[feed.name].reason,
                replaced=self._is_replaced(feed, reading, changes),
            )
            for feed in self.feeds
        ]
        if missing[None]:
            whole = Completeness.COMPLETE
            lost = SourcePart(
                "", whole, before[None], 0, missing[None], removed[None], configured=False
            )
            parts.append(lost)
        return tuple(parts)

    def _is_replaced(self, feed: Feed, reading: Reading, changes: DocumentChanges) -> bool:
        """True if the place is another one and has less than half of the known documents."""
        place = reading.listings[feed.name].identity
        if place is None or self.cache.notes("places").get(feed.name, place) == place:
            return False
        names = {each.name for each in self.feeds}
        known = [uri for uri in self.before if source_name(uri, names) == feed.name]
        here = reading.documents.keys() | {move.old for move in changes.moved}
        return 2 * sum(uri in here for uri in known) < len(known)

    @property
    def _cutting(self) -> dict[str, str]:
        return {"": self.recipe.cutting}

    def _estimate(self, embedded: int) -> float | None:
        if not embedded:
            return 0.0
        speed = self.cache.notes("speed").get(self.recipe.embedder)
        return embedded / speed if speed else None

    def _scan(self, reading: Reading, changes: DocumentChanges) -> Scan:
        since = {uri: self.grace.since.get(uri, self.grace.now) for uri in changes.leaving}
        leaving = {uri: time.isoformat() for uri, time in since.items()}
        places = {
            name: listing.identity
            for name, listing in reading.listings.items()
            if listing.identity is not None
        }
        kinds = {"leaving": leaving, "places": places, "cutting": self._cutting}
        for kind, notes in kinds.items():
            if self.cache.notes(kind) != notes:
                reading.scan.notes[kind] = notes
        return reading.scan


def _by_source(uris: Iterable[str], names: set[str]) -> Counter[str | None]:
    return Counter(source_name(uri, names) for uri in uris)
