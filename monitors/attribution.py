"""Which documents are behind the drift, with shares that add up to one."""

from __future__ import annotations

from monitors.records import ChangeKind, DocumentDrift
from monitors.signals.shingles import UnseenShingles


def documents(kinds: dict[str, ChangeKind], unseen: UnseenShingles) -> tuple[DocumentDrift, ...]:
    """Return every changed document, largest share of the unseen text first, then by uri.

    An unseen run of words that several documents hold is counted for the first of them, so the
    shares add up to one (or to zero where nothing is unseen).
    """
    total = unseen.unseen or 1
    drifted = (
        DocumentDrift(uri, unseen.by_document.get(uri, 0) / total, kind)
        for uri, kind in kinds.items()
    )
    return tuple(sorted(drifted, key=lambda document: (-document.share, document.uri)))
