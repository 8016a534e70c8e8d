"""Which documents are behind the drift, with shares that add up to one."""

from __future__ import annotations

from collections import defaultdict

from monitors.corpus import Corpus
from monitors.records import ChangeKind, DocumentDrift
from monitors.signals.shingles import UnseenShingles


def documents(
    reference: Corpus, current: Corpus, unseen: UnseenShingles
) -> tuple[DocumentDrift, ...]:
    """Return every changed document, largest share of the unseen text first, then by uri.

    An unseen run of words that several documents hold is counted for the first of them, so the
    shares add up to one (or to zero where nothing is unseen).
    """
    kinds = change_kinds(reference.document_digest_of(), current.document_digest_of())
    total = unseen.unseen or 1
    drifted = (
        DocumentDrift(uri, unseen.by_document.get(uri, 0) / total, kind)
        for uri, kind in kinds.items()
    )
    return tuple(sorted(drifted, key=lambda document: (-document.share, document.uri)))


def change_kinds(old: dict[str, str], new: dict[str, str]) -> dict[str, ChangeKind]:
    """Name what happened to each document, from uri → digest before and after.

    A removed document whose bytes stand under a new uri was moved, and is named once, by that.

    >>> change_kinds({"a": "1", "b": "2"}, {"a": "9", "c": "2"})
    {'a': <ChangeKind.EDITED: 'edited'>, 'c': <ChangeKind.MOVED: 'moved'>}
    """
    gone: defaultdict[str, list[str]] = defaultdict(list)
    for uri in sorted(set(old) - set(new), reverse=True):
        gone[old[uri]].append(uri)
    kinds: dict[str, ChangeKind] = {}
    for uri, digest in sorted(new.items()):
        if uri not in old:
            origin = gone[digest].pop() if gone[digest] else None
            kinds[uri] = ChangeKind.NEW if origin is None else ChangeKind.MOVED
        elif old[uri] != digest:
            kinds[uri] = ChangeKind.EDITED
    return kinds | {uri: ChangeKind.REMOVED for uris in gone.values() for uri in uris}
