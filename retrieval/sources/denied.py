"""A source without documents that were erased: what is denied is neither listed nor read.

It stands before every kind of source, so that no way of reading can go around it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from retrieval.denylist import Denylist
from retrieval.errors import DocumentRefusedError
from retrieval.records import Body, Entry, Listing, RefusalCode
from retrieval.sources import Closable, Feed, Source


class DeniedSource:
    """Another source, less what a denylist says, which is asked for at each listing.

    A denied uri is left out in silence: a refusal would write down the very name that was erased.
    Denied bytes under another name are refused by that name.
    """

    def __init__(self, source: Source, name: str, denylist: Callable[[], Denylist]) -> None:
        self._source, self._name, self._ask = source, name, denylist
        self._denylist = denylist()

    def fingerprint(self) -> str | None:
        """Return the source's own, which is another one once more is denied."""
        self._denylist = self._ask()
        there = self._source.fingerprint()
        denied = self._denylist.digest
        return f"{there} without {denied}" if there is not None and denied else there

    def list_documents(self) -> Listing:
        """Return the source's listing without the denied uris."""
        self._denylist = self._ask()
        listing = self._source.list_documents()
        kept = tuple(entry for entry in listing.entries if not self._denies(entry.uri))
        refused = tuple(each for each in listing.refused if not self._denies(each.uri))
        return replace(listing, entries=kept, refused=refused)

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a document; raise DocumentRefusedError if its bytes were erased."""
        body = self._source.read(entry, unless=unless)
        if body is not None and self._denylist.contents:
            digest = hashlib.sha256(body.data).hexdigest()
            if self._denylist.denies_content(digest):
                told = "it has the very bytes of a document that was erased (`driftline forget`)"
                raise DocumentRefusedError(RefusalCode.DENIED, told)
        return body

    def close(self) -> None:
        """Close the source, if it holds something open."""
        if isinstance(self._source, Closable):
            self._source.close()

    def _denies(self, uri: str) -> bool:
        return self._denylist.denies(f"{self._name}:{uri}" if self._name else uri, uri)


def without_denied(feeds: tuple[Feed, ...], denylist: Callable[[], Denylist]) -> tuple[Feed, ...]:
    """Return the feeds with each source less what is denied."""
    return tuple(
        replace(feed, source=DeniedSource(feed.source, feed.name, denylist)) for feed in feeds
    )
