"""One listing of a site while it is made: what to ask next, and what each answer means."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from retrieval.errors import SourceUnreachableError
from retrieval.records import Completeness, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.patterns import Patterns
from retrieval.sources.sitemaps import MAX_SITEMAP, SitemapEntry, read_sitemap
from retrieval.sources.web_address import UnsafeAddressError, normal_address, path_of, site_of
from retrieval.sources.web_answers import (
    GONE,
    NOT_MODIFIED,
    OK,
    is_document,
    last_modified,
    note_of,
    require_page,
)
from retrieval.sources.web_fetch import Answer, FetchError
from retrieval.sources.web_notes import Memory, Note, Spool
from retrieval.sources.web_visits import Visit, Visits

MAX_SITEMAPS = 500  # files of one index of sitemaps
FAILURES_IN_A_ROW = 5  # pages; then the host counts as lost

# A page that failed so may have had links that nobody else has: the listing is not whole then.
_PASSING = {RefusalCode.TIMEOUT, RefusalCode.DAMAGED, RefusalCode.UNREADABLE}


@dataclass
class Crawl:
    """Visits pages in the order in which they were found. A start that fails ends it."""

    visits: Visits
    patterns: Patterns
    memory: Memory
    spool: Spool
    max_bytes: int
    max_pages: int
    notes: dict[str, Note] = field(default_factory=dict)
    modified: dict[str, datetime] = field(default_factory=dict)
    _refused: dict[str, Refusal] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)
    _seen: set[str] = field(default_factory=set)
    _starts: set[str] = field(default_factory=set)
    _sites: set[str] = field(default_factory=set)
    _from_sitemap: set[str] = field(default_factory=set)
    _reason: str = ""
    _failures: int = 0
    _lost: bool = False

    def crawl(self, starts: list[str], sitemaps: list[str]) -> None:
        """Visit everything that the starts lead to and that the sitemaps list."""
        self._sites = {site_of(address) for address in starts}
        self._starts = set(starts)
        for start in starts:
            self._await(start)
        self._visit_all()
        for sitemap in sitemaps:
            self._read_sitemaps(sitemap)
        self._visit_all()

    def listing(self, identity: str) -> Listing:
        """Return what was found. A page that names another listed page as canonical is that one."""
        entries = [
            Entry(address, note.size, self.modified.get(address), note.stamp)
            for address, note in self.notes.items()
            if note.listed and self.patterns.choose(path_of(address)) and not self._is_copy(note)
        ]
        broken = Completeness.PARTIAL if entries else Completeness.FAILED
        return Listing(
            tuple(sorted(entries, key=lambda entry: entry.uri)),
            broken if self._reason else Completeness.COMPLETE,
            tuple(self._refused[address] for address in sorted(self._refused)),
            self._reason,
            identity,
        )

    def _is_copy(self, note: Note) -> bool:
        if note.canonical is None:
            return False
        other = self.notes.get(note.canonical)
        return (
            other is not None
            and other is not note
            and other.listed
            and other.canonical in {None, note.canonical}
        )

    def _await(self, address: str) -> None:
        if address in self._seen:
            return
        if len(self._seen) >= self.max_pages:
            self._incomplete(f"the site has more than {self.max_pages:,} pages, which is the limit")
            return
        self._seen.add(address)
        self._waiting.append(address)

    def _visit_all(self) -> None:
        while self._waiting and not self._lost:
            address = self._waiting.popleft()
            try:
                self._take(address)
                self._failures = 0
            except FetchError as error:
                self._refuse(address, error)

    def _take(self, address: str) -> None:
        if not self.visits.allowed(address) and not self._is_expected(address):
            return
        visit = self.visits.visit(
            address,
            max_bytes=self.max_bytes,
            headers_for=self.memory.conditions,
            wanted=is_document,
        )
        if visit.address in self.notes or not self._chosen(visit.address):
            return
        self._seen.add(visit.address)
        answer = visit.answer
        if answer.status in GONE and address not in self._starts:
            return
        if answer.status == OK and not is_document(answer):
            self._take_foreign(address, answer)
            return
        note = self._note(visit)
        self.notes[visit.address] = note
        self._date(visit.address, answer)
        self._follow(address, note)

    def _chosen(self, address: str) -> bool:
        return address in self._starts or self.patterns.choose(path_of(address))

    def _note(self, visit: Visit) -> Note:
        """Return what is known of a page now. Raises FetchError if the answer is no page."""
        remembered = self.memory.note(visit.address)
        if visit.answer.status == NOT_MODIFIED and remembered is not None:
            return remembered
        require_page(visit.answer)
        note = note_of(visit)
        self.spool.keep(visit.address, visit.answer.body)
        self.memory.keep(visit.address, note)
        return note

    def _take_foreign(self, address: str, answer: Answer) -> None:
        """An image behind a link is no fault; a document that turned into one is."""
        if self._is_expected(address):
            reason = f"it is {answer.media_type!r} now, which cannot be read as a document"
            raise FetchError(RefusalCode.BINARY, reason)

    def _is_expected(self, address: str) -> bool:
        listed = address in self._starts or address in self._from_sitemap
        return listed or self.memory.note(address) is not None

    def _date(self, address: str, answer: Answer) -> None:
        moment = last_modified(answer)
        if moment is not None:
            self.modified.setdefault(address, moment)

    def _follow(self, address: str, note: Note) -> None:
        if address in self._from_sitemap:
            return
        for link in (*note.addresses, *([note.canonical] if note.canonical else [])):
            if site_of(link) in self._sites and self._chosen(link):
                self._await(link)

    def _refuse(self, address: str, error: FetchError) -> None:
        if address in self._starts:
            msg = f"The start page {address!r} cannot be had: {error}."
            raise SourceUnreachableError(msg) from error
        note = self.memory.note(address)
        if error.lost:
            self._lost = True
            self._incomplete(f"the listing stopped at {address!r}: {error}")
        if error.code in _PASSING:
            self._count_failure(address, error, note)
        self._refused[address] = Refusal(address, error.code, error.reason)
        if note is not None:
            self._follow(address, note)

    def _count_failure(self, address: str, error: FetchError, note: Note | None) -> None:
        self._failures += 1
        if note is None and address not in self._from_sitemap:
            self._incomplete(f"{address!r} and the links on it cannot be read: {error}")
        if self._failures >= FAILURES_IN_A_ROW:
            self._lost = True
            self._incomplete(f"{self._failures} pages in a row failed, the last was {address!r}")

    def _incomplete(self, reason: str) -> None:
        self._reason = self._reason or reason

    def _read_sitemaps(self, start: str) -> None:
        waiting, seen = deque([start]), {start}
        while waiting:
            sitemap = waiting.popleft()
            try:
                found = read_sitemap(self._sitemap_body(sitemap, start))
            except (FetchError, ValueError) as error:
                self._incomplete(f"the sitemap {sitemap!r} cannot be read: {error}")
                continue
            self._await_pages(found.pages, sitemap)
            for child in found.sitemaps:
                address = self._own(child.address, sitemap)
                if address is None or len(seen) >= MAX_SITEMAPS:
                    self._incomplete(
                        f"the sitemap {child.address!r} is of another site or too many"
                    )
                elif address not in seen:
                    seen.add(address)
                    waiting.append(address)

    def _sitemap_body(self, sitemap: str, start: str) -> bytes:
        try:
            visit = self.visits.visit(sitemap, max_bytes=MAX_SITEMAP)
        except FetchError as error:
            if sitemap == start and error.lost:
                msg = f"The sitemap {start!r} cannot be had: {error}."
                raise SourceUnreachableError(msg) from error
            raise
        if visit.answer.status in GONE:
            raise FetchError(RefusalCode.VANISHED, "it is not there")
        require_page(visit.answer)
        return visit.answer.body

    def _await_pages(self, pages: tuple[SitemapEntry, ...], sitemap: str) -> None:
        for page in pages:
            address = self._own(page.address, sitemap)
            if address is None:
                reason = f"the sitemap {sitemap!r} lists it, but it is of another site"
                self._refused[page.address] = Refusal(
                    page.address, RefusalCode.LINK_OUTSIDE, reason
                )
            elif self._chosen(address) and address not in self._seen:
                self._from_sitemap.add(address)
                if page.modified_at is not None:
                    self.modified[address] = page.modified_at
                self._await(address)

    def _own(self, text: str, sitemap: str) -> str | None:
        """Return the address if it belongs to the sitemap's site."""
        try:
            address = normal_address(text, sitemap)
        except UnsafeAddressError:
            return None
        return address if site_of(address) == site_of(sitemap) else None
