"""Full-text search of a current side, put together from a search of the reference and the change.

An index that was just refreshed searches what it has not indexed yet row by row, for each question
anew. The current side is the reference without what is gone and with what is new, so one search
of the reference and one in memory over the change find the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitors.asking.full_text import search_in
from monitors.pair import Search


def remembered(search: Search) -> Search:
    """Return a search that asks each question once."""
    known: dict[str, list[str]] = {}

    def ask(questions: Sequence[str]) -> list[list[str]]:
        fresh = [question for question in dict.fromkeys(questions) if question not in known]
        known.update(zip(fresh, search(fresh), strict=True))
        return [known[question] for question in questions]

    return ask


def search_anew(reference: Search, *, gone: Collection[str], now: Sequence[str]) -> Search:
    """Return the search of a side that lacks the texts `gone` and has the texts `now` besides.

    What the reference finds and the texts that came are ranked together, among as many other texts
    of the corpus as `now` holds, so that common words weigh little.

    >>> before = lambda questions: [["a dog runs"] for _ in questions]
    >>> search_anew(before, gone={"a dog runs"}, now=["the dog sleeps", "it rains"])(["dog"])
    [['the dog sleeps']]
    """
    left = frozenset(gone)

    def ask(questions: Sequence[str]) -> list[list[str]]:
        kept = (text for found in reference(questions) for text in found if text not in left)
        return search_in(list(dict.fromkeys([*now, *kept])))(questions)

    return ask
