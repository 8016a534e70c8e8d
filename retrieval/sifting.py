"""Of the chunks of changed documents, those that the index has to be told of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.records import Chunk, DocumentHeader
from retrieval.spool import Spool

Headers = Callable[[Sequence[str]], Mapping[str, DocumentHeader]]
"""Looks up what the index says of documents as a whole, by uri."""

_HELD = 2_000  # chunks kept in memory, so that headers are looked up for many documents at once


@dataclass
class Sifter:
    """Sends chunks on to the spool, but for those that the index holds as they are.

    `chunks` counts all that came; `gone` are the ids of those that edited documents no longer have.
    """

    spool: Spool
    headers: Headers
    chunks: int = 0
    gone: list[str] = field(default_factory=list)
    _waiting: dict[str, tuple[Chunk, ...]] = field(default_factory=dict)
    _held: int = 0

    def add(self, uri: str, chunks: tuple[Chunk, ...], *, held: bool) -> None:
        """Take in the chunks of a document, of which the index may hold an earlier state."""
        self.chunks += len(chunks)
        if not held:
            self.spool.add(chunks, order_of(chunks))
            return
        self._waiting[uri] = chunks
        self._held += len(chunks)
        if self._held >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Send on what is waiting."""
        headers = self.headers(list(self._waiting))
        for uri, chunks in self._waiting.items():
            header = headers.get(uri)
            self.spool.add(changed_chunks(chunks, header), order_of(chunks))
            if header is not None:
                self.gone += sorted(set(header.order) - {chunk.id for chunk in chunks})
        self._waiting, self._held = {}, 0


def changed_chunks(chunks: tuple[Chunk, ...], header: DocumentHeader | None) -> tuple[Chunk, ...]:
    """Return the chunks of a document whose rows differ from those that the index holds.

    The first chunk's row speaks for the document, so it is always one of them, and so is the one
    that did before.
    """
    first = chunks[0]
    facts = (first.title, first.media_type, first.trust, first.flags)
    if header is None or facts != (header.title, header.media_type, header.trust, header.flags):
        return chunks
    known = set(header.order) - {header.order[0], first.id}
    return tuple(chunk for chunk in chunks if chunk.id not in known)


def order_of(chunks: Sequence[Chunk]) -> tuple[str, ...]:
    """Return the ids of a document's chunks as they are read."""
    return tuple(chunk.id for chunk in chunks)
