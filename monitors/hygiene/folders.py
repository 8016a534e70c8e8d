"""Folders that came or went as a whole: a source that was taken in or lost, not an edit. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

# Fewer are documents that somebody wrote, not a source.
_DOCUMENTS = 5
# Of all documents of the side. On 182 pairs of releases of three documentation sets the largest
# new folder holds 7.6 % (a guide that was written); none of them is at the top.
_SHARE_AT_THE_TOP = 0.05
_SHARE_BELOW = 0.10


@dataclass(frozen=True, slots=True)
class Folders:
    """Every folder that holds a document, on either side, with the folders above it."""

    reference: frozenset[str]
    current: frozenset[str]

    @classmethod
    def of(cls, reference: Iterable[str], current: Iterable[str]) -> Folders:
        """Return the folders of all documents of both sides, by uri.

        >>> sorted(Folders.of(["a/b/c.md"], []).reference)
        ['a', 'a/b']
        """
        return cls(frozenset(_above_all(reference)), frozenset(_above_all(current)))


def whole_folders(uris: Iterable[str], others: frozenset[str], *, documents: int) -> set[str]:
    """Return the documents that stand in large folders which the other side has not at all.

    `uris` are on one side only, `others` are the folders of the other side, `documents` counts
    all of the side's documents.

    >>> sorted(whole_folders([f"legal/{n}.md" for n in range(5)], frozenset({"a"}), documents=9))[:1]
    ['legal/0.md']
    """  # noqa: E501 - one example a line
    within: defaultdict[str, list[str]] = defaultdict(list)
    for uri in uris:
        folder = next((above for above in _above(uri) if above not in others), None)
        if folder is not None:
            within[folder].append(uri)
    return {
        uri
        for folder, held in within.items()
        if len(held) >= max(_DOCUMENTS, _least_share(folder) * documents)
        for uri in held
    }


def _least_share(folder: str) -> float:
    return _SHARE_BELOW if "/" in folder else _SHARE_AT_THE_TOP


def _above(uri: str) -> Iterator[str]:
    """Yield the folders of a document, the outermost first."""
    return (str(folder) for folder in reversed(PurePosixPath(uri).parents[:-1]))


def _above_all(uris: Iterable[str]) -> Iterator[str]:
    return (folder for parent in {uri.rpartition("/")[0] for uri in uris}
            for folder in (*_above(f"{parent}/x"),))  # fmt: skip
