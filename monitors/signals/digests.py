"""Changed and removed chunks: which pieces of text exist on one side only.

Formula: changed = share of the current chunks whose normalised digest the reference lacks;
removed = share of the reference chunks whose normalised digest the current corpus lacks. Chunks
are counted once per distinct text, so duplicates weigh nothing. Sees what no embedding sees: a
changed number, an inserted "not".
The measurements behind it stand in docs/drift.md.
"""

from __future__ import annotations

from monitors.corpus import Corpus


def measure_changed(reference: Corpus, current: Corpus) -> float:
    """Return the share of current texts that the reference lacks; 0 for an empty current corpus.

    >>> def corpus(*digests):
    ...     n = len(digests)
    ...     return Corpus(("a.md",) * n, ("",) * n, ((),) * n, digests, ("d",) * n)
    >>> measure_changed(corpus("a", "b"), corpus("a", "b", "c", "c"))
    0.3333333333333333
    """
    return _missing_share(set(current.normal_digests), set(reference.normal_digests))


def measure_removed(reference: Corpus, current: Corpus) -> float:
    """Return the share of reference texts that are gone; 0 for an empty reference."""
    return _missing_share(set(reference.normal_digests), set(current.normal_digests))


def _missing_share(texts: set[str], known: set[str]) -> float:
    return len(texts - known) / len(texts) if texts else 0.0
