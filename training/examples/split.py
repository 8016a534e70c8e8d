"""Which documents are held out, for good: a rule over uris that only ever lets documents go.

A document that a champion was trained on must not be weighed on later. Pure: chunks in, two out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256

from training.examples.chunks import Chunk

# Intervals are drawn over held-out documents: a small corpus gives up to two fifths of its own
# until there are these many.
ENOUGH_HOLDOUT_DOCUMENTS = 24
MOST_HELD_SHARE = 0.4
# However the hashes fall, a corpus of nine documents has something to weigh on.
LEAST_HOLDOUT_DOCUMENTS = 3


@dataclass(frozen=True, slots=True)
class Split:
    """Chunks to train on and chunks to weigh on, and the uris of the documents held out."""

    train: tuple[Chunk, ...]
    holdout: tuple[Chunk, ...]
    held: frozenset[str]


def held_out(uris: AbstractSet[str], *, share: float, salt: str) -> set[str]:
    """Return the uris whose hash is under the share; of a small corpus those up to 0.4.

    Held out are also the 24 lowest if they are under 0.4, and always the three lowest.
    Each of these limits is the same for every corpus, and a new document can only push another out
    of the lowest: documents leave the holdout as a corpus grows, and none enters it late.

    >>> small = {f"{n}.md" for n in range(30)}
    >>> later = held_out(small | {f"{n}.md" for n in range(30, 90)}, share=0.25, salt="s")
    >>> later & small <= held_out(small, share=0.25, salt="s")
    True
    """
    ranks = {uri: rank(salt, uri) for uri in uris}
    lowest = sorted(ranks, key=lambda uri: ranks[uri])
    enough = {u for u in lowest[:ENOUGH_HOLDOUT_DOCUMENTS] if ranks[u] < MOST_HELD_SHARE}
    under = {uri for uri in uris if ranks[uri] < share}
    return under | enough | set(lowest[:LEAST_HOLDOUT_DOCUMENTS])


def split(chunks: Sequence[Chunk], known: AbstractSet[str], *, share: float, salt: str) -> Split:
    """Return chunks to train on and to weigh on; `known` are the uris of the reference.

    They count too, so that a document which is gone lets no other take its place. A document that
    is new by its uri while most of its text is old was moved. It may have been trained on under
    its former uri, so it is never held out.
    """
    uris = {chunk.uri for chunk in chunks} | known
    held = held_out(uris, share=share, salt=salt) - _moved(chunks, known)
    return Split(
        tuple(chunk for chunk in chunks if chunk.uri not in held),
        tuple(chunk for chunk in chunks if chunk.uri in held),
        frozenset(held),
    )


def _moved(chunks: Sequence[Chunk], known: AbstractSet[str]) -> set[str]:
    if not known:
        return set()
    whole = Counter(chunk.uri for chunk in chunks if chunk.uri not in known)
    old = Counter(chunk.uri for chunk in chunks if chunk.uri in whole and not chunk.fresh)
    return {uri for uri, count in whole.items() if 2 * old[uri] > count}


def rank(*parts: str) -> float:
    """Return a number in [0, 1) that belongs to these strings for good.

    >>> 0 <= rank("holdout", "a.md") < 1 and rank("a", "b") != rank("b", "a")
    True
    """
    digest = sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
