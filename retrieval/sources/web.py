"""Pages of web sites as a source: crawled from start pages, or listed by sitemaps."""

import time
from collections.abc import Callable, MutableMapping
from datetime import datetime

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, Listing, RefusalCode
from retrieval.sources.patterns import Patterns
from retrieval.sources.web_address import UnsafeAddressError, normal_address, shown, site_of
from retrieval.sources.web_answers import last_modified, note_of, require_page
from retrieval.sources.web_crawl import Crawl
from retrieval.sources.web_fetch import Fetcher, FetchError, Resolve
from retrieval.sources.web_notes import Memory, Note, Spool
from retrieval.sources.web_visits import Visits

USER_AGENT = "Driftline/0.1"
_SITEMAP_ENDINGS = (".xml", ".xml.gz")


class WebSource:
    """Pages of the sites that the starts belong to; nothing of any other site is asked for.

    A start is a page, from which links are followed, or a sitemap, whose pages are the documents
    and whose links are not followed; by default its ending tells (.xml, .xml.gz). Patterns see the
    path without its first slash; the page of a folder is seen as its index.html. Only pages that
    the patterns choose are asked for, and the starts.

    `memory` holds, by address, what makes the next listing cheap: unchanged pages are not sent
    again. Losing it costs one full fetch. A body is kept on disk from the listing until close().
    """

    def __init__(
        self,
        starts: tuple[str, ...],
        *,
        memory: MutableMapping[str, str],
        sitemap: bool | None = None,
        include: tuple[str, ...] = ("**",),
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
        max_pages: int = 5_000,
        delay_seconds: float = 0.2,
        timeout_seconds: float = 30.0,
        allow_private: bool = False,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] = time.sleep,
        resolve: Resolve | None = None,
    ) -> None:
        self._starts = starts
        self._sitemap = sitemap
        self._patterns = Patterns(include, exclude)
        self._memory = Memory(memory)
        self._max_bytes = max_bytes
        self._max_pages = max_pages
        self._fetcher = Fetcher(
            user_agent=user_agent,
            timeout_seconds=timeout_seconds,
            allow_private=allow_private,
            resolve=resolve,
        )
        self._visits = Visits(
            self._fetcher, user_agent=user_agent, delay_seconds=delay_seconds, sleep=sleep
        )
        self._spool = Spool()
        self._notes: dict[str, Note] = {}
        self._modified: dict[str, datetime] = {}

    def fingerprint(self) -> str | None:
        """Return None: a site is listed to see whether it changed."""
        return None

    def list_documents(self) -> Listing:
        """Visit every page, asking for each only if it changed. Never removes on a doubt.

        Raises SourceUnreachableError if a start cannot be had. A page that is linked but gone is
        not listed; one that fails for now is refused; whatever may have hidden links makes the
        listing partial.
        """
        starts = [_start(text) for text in self._starts]
        self._spool.close()
        self._visits.forget_manners()
        crawl = Crawl(
            self._visits,
            self._patterns,
            self._memory,
            self._spool,
            self._max_bytes,
            self._max_pages,
        )
        crawl.crawl(
            [each for each in starts if not self._is_sitemap(each)],
            [each for each in starts if self._is_sitemap(each)],
        )
        listing = crawl.listing(" ".join(sorted({site_of(each) for each in starts})))
        self._notes, self._modified = crawl.notes, crawl.modified
        if listing.completeness is Completeness.COMPLETE and not listing.refused:
            self._memory.forget_others(crawl.notes)
        return listing

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a page as the listing saw it, or as it is now if the listing did not fetch it."""
        if unless is not None and entry.stamp == unless:
            return None
        body = self._spool.body(entry.uri)
        if body is None:
            return self._fetch(entry)
        kind = self._notes[entry.uri].media_type or None
        return Body(body, entry.stamp, kind, self._modified.get(entry.uri))

    def close(self) -> None:
        """Close the connection and delete the bodies."""
        self._fetcher.close()
        self._spool.close()

    def _fetch(self, entry: Entry) -> Body:
        try:
            visit = self._visits.visit(entry.uri, max_bytes=self._max_bytes)
            require_page(visit.answer)
        except FetchError as error:
            raise DocumentRefusedError(error.code, error.reason) from error
        if visit.address != entry.uri:
            reason = f"it was a page when the site was listed and now leads to {visit.address!r}"
            raise DocumentRefusedError(RefusalCode.CHANGING, reason)
        note = note_of(visit)
        self._memory.keep(entry.uri, note)
        moment = last_modified(visit.answer) or entry.modified_at
        return Body(visit.answer.body, note.stamp, note.media_type or None, moment)

    def _is_sitemap(self, start: str) -> bool:
        if self._sitemap is None:
            return start.partition("?")[0].endswith(_SITEMAP_ENDINGS)
        return self._sitemap


def _start(text: str) -> str:
    try:
        return normal_address(text)
    except UnsafeAddressError as error:
        msg = f"The web source cannot start at {shown(text)!r}: {error}."
        raise SourceUnreachableError(msg) from error
