"""Where documents come from: one protocol, one file for each kind of source."""

from typing import Protocol

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
