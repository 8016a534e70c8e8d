"""Changed and removed chunks: which pieces of text exist on one side only.

Formula: changed = share of the current chunks whose normalised digest the reference lacks;
removed = share of the reference chunks whose normalised digest the current corpus lacks. Chunks
are counted once per distinct text, so duplicates weigh nothing. Sees what no embedding sees: a
changed number, an inserted "not". Of the changed ones, those with more than half of their runs of
words unseen say something new; the others edit what stood there.
Reference: A. Muthitacharoen, B. Chen, D. Mazieres, "A low-bandwidth network file system", SOSP
2001 (pieces whose borders the text decides, compared by digest).
"""

from __future__ import annotations

from dataclasses import dataclass

from monitors.pair import Pair
from monitors.signals.shingles import UnseenShingles

_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class ChangedChunks:
    """Shares of the distinct current texts: all that changed, and of them the new and the edited.

    `changed` is `new` + `edited`.
    """

    changed: float
    new: float
    edited: float


def measure_changed(pair: Pair, unseen: UnseenShingles) -> ChangedChunks:
    """Return what the reference lacks; zeros for an empty current side."""
    total = max(1, len(pair.current_digests))
    fresh = len(pair.fresh)
    new = sum(unseen.by_chunk[at] > _MOSTLY * unseen.shingles[at] for at in pair.fresh)
    return ChangedChunks(fresh / total, int(new) / total, (fresh - int(new)) / total)


def measure_removed(pair: Pair) -> float:
    """Return the share of reference texts that are gone; 0 for an empty reference.

    >>> from monitors.corpus import Corpus
    >>> def corpus(*digests):
    ...     n = len(digests)
    ...     return Corpus(("a.md",) * n, ("",) * n, ((),) * n, digests, ("d",) * n)
    >>> old, new = corpus("a", "b"), corpus("b", "c")
    >>> measure_removed(Pair({}, old, new, corpus(), frozenset("ab"), frozenset("bc"), 2, 2, 1, 1))
    0.5
    """
    return len(pair.gone) / len(pair.reference_digests) if pair.reference_digests else 0.0
