"""How much of a text was seen before, by runs of words. Pure: strings in, shares out.

Resemblance by shingles as in Broder (1997), without the sketch: a corpus fits into one set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

SHINGLE_WORDS = 5
# Of twelve words or fewer a single sentence that is common to many texts is most of them.
_LEAST_RUNS = 8


def spoken(text: str) -> str:
    """Return the words of a text in small letters, without signs and markup.

    >>> spoken("Use ``retry``, twice!")
    'use retry twice'
    """
    return " ".join(re.findall(r"\w+", text.casefold()))


def shingles(text: str, words: int = SHINGLE_WORDS) -> set[int]:
    """Return the hashes of every run of so many words; of a shorter text the one of all of it.

    Good within one process only: Python salts the hashes of strings.

    >>> len(shingles("one two three four five six")), len(shingles("one")), len(shingles(""))
    (2, 1, 0)
    """
    said = re.findall(r"\w+", text.casefold())
    if len(said) <= words:
        return {hash(tuple(said))} if said else set()
    return {hash(run) for run in zip(*(said[at:] for at in range(words)), strict=False)}


def share_seen(of: AbstractSet[int], seen: AbstractSet[int]) -> float:
    """Return the share of a text's shingles that are among those seen, 0..1; 0 for no words.

    >>> share_seen(shingles("a b c d e f"), shingles("a b c d e g"))
    0.5
    """
    return len(of & seen) / len(of) if of else 0.0


def found_among(wanted: AbstractSet[int], texts: Iterable[str]) -> set[int]:
    """Return which shingles stand in any of the texts; holds no more than those in memory.

    >>> found_among(shingles("a b c d e"), ["x a b c d e", "y"]) == shingles("a b c d e")
    True
    """
    found: set[int] = set()
    for text in texts:
        found |= shingles(text) & wanted
    return found


class Seen:
    """Texts by their shingles, each shingle with the first text that had it: linear to look up."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._first: dict[int, int] = {}
        self._sizes: list[int] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Remember a text."""
        runs = shingles(text)
        for run in runs:
            self._first.setdefault(run, len(self._sizes))
        self._sizes.append(len(runs))

    def repeats(self, text: str, *, share: float) -> bool:
        """Return True if so much of the text stands in one that was seen, or of one in the text.

        >>> Seen(["a b c d e f g h"]).repeats("a b c d e f g x", share=0.75)
        True
        """
        runs = shingles(text)
        found = Counter(self._first[run] for run in runs if run in self._first)
        return any(
            count >= share * _least(len(runs), self._sizes[at]) for at, count in found.items()
        )


def _least(one: int, other: int) -> int:
    """Return the size of the text that may be held by the other; a short one must be the same."""
    return min(one, other) if min(one, other) >= _LEAST_RUNS else max(one, other)
