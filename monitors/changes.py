"""What happened to each document, told from the digests of both sides. Pure."""

from __future__ import annotations

from collections import defaultdict

from monitors.records import ChangeKind


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
