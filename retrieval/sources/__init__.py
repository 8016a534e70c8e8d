"""Where documents come from: one protocol, one file for each kind of source."""

from typing import Protocol

from retrieval.records import Entry, Listing


class Source(Protocol):
    """A place that can say what it holds and hand over the bytes of each document."""

    def list_documents(self) -> Listing:
        """Return every document, ordered by uri; raise SourceUnreachableError if none can be."""
        ...

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a listed document; raise DocumentRefusedError if it has none."""
        ...
