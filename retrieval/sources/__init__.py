"""Where documents come from: one protocol, one file for each kind of source."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from retrieval.records import Body, Entry, Listing


class Source(Protocol):
    """A place that can say what it holds and hand over the bytes of each document."""

    def fingerprint(self) -> str | None:
        """Return a text that stays the same only while nothing the source holds has changed.

        Must be much cheaper than a listing; None where the source cannot tell without one.
        Raises SourceUnreachableError.
        """
        ...

    def list_documents(self) -> Listing:
        """Return every document, ordered by uri; raise SourceUnreachableError if none can be."""
        ...

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a listed document; None if it still is what the stamp `unless` was given for.

        Raises DocumentRefusedError if it cannot be had.
        """
        ...


@runtime_checkable
class Closable(Protocol):
    """A source that holds something open: a connection, a child process, a temporary file."""

    def close(self) -> None:
        """Let go of it; what was listed can no longer be read."""
        ...


@dataclass(frozen=True)
class Feed:
    """A source as one knowledge base uses it.

    `name` is empty for an only source; else it begins the uri of each of its documents, as in
    `handbook:guide/intro.md`. `settings` says what chose the documents: with other settings an
    unchanged place may well hold other documents.
    """

    source: Source
    name: str = ""
    trust: str = "trusted"
    settings: str = ""

    def uri_of(self, uri: str) -> str:
        """Return the uri that a document of this source has in the knowledge base."""
        return f"{self.name}:{uri}" if self.name else uri


def source_name(uri: str, names: Collection[str]) -> str | None:
    """Return which of the named sources a uri is of; None for one that is not named any more.

    >>> source_name("a.md", {""}), source_name("web:a.md", {"web", "git"})
    ('', 'web')
    >>> source_name("a.md", {"web", "git"}) is None
    True
    """
    if "" in names:
        return ""
    name = uri.partition(":")[0]
    return name if name in names else None
