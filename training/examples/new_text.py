"""What is new in chunks, and how much of what the reference lacks each one tells. Pure.

Of the chunks that are new by their digest, half to two thirds of the text is old lines. Trained and
weighed on whole, they teach and show the old (docs/training.md has the measurements).
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise

from training.examples.chunks import LEAST_WORDS, Chunk
from training.examples.near_duplicates import found_among, share_seen, shingles

# A line of which so many runs of words stand in the reference was wrapped anew or moved.
MOST_KNOWN = 0.8
_WORD = re.compile(r"[A-Za-z_]\w+|\d[\d.]*")
# Each time a term was told it is worth half as much again.
_HALVED = 0.5
# A row costs its words and about this for its place in a batch: one-liners are not the cheapest.
_WORDS_A_ROW = 15
_Term = str | tuple[str, str]


def marked(chunks: Sequence[Chunk], reference: Sequence[str]) -> list[Chunk]:
    """Return the chunks with their new lines, which the texts of the reference hold nowhere.

    `chunks` that are not in the reference as they are come in as fresh. Those with too few new
    words are edited instead: neither new nor old. If that is all of them, they stay as they are.
    Holds the lines and runs of words of the fresh chunks in memory, not those of the reference.
    """
    wanted = {line for chunk in chunks if chunk.fresh for line in _lines(chunk.text)}
    runs = {line: shingles(line) for line in wanted}
    seen = found_among(set().union(*runs.values()), reference)
    known = {line for text in reference for line in _lines(text) if line in wanted}
    known |= {line for line in wanted if share_seen(runs[line], seen) >= MOST_KNOWN}
    told = [_told(chunk, known) if chunk.fresh else chunk for chunk in chunks]
    return told if any(chunk.fresh for chunk in told) else list(chunks)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text that hold a word, white space as one space."""
    for line in text.splitlines():
        if re.search(r"\w", line):
            yield " ".join(line.split())


def _told(chunk: Chunk, known: AbstractSet[str]) -> Chunk:
    kept = [line for line in chunk.text.splitlines() if " ".join(line.split()) not in known]
    news = "\n".join(line for line in kept if line.strip())
    if len(news.split()) >= LEAST_WORDS:
        return replace(chunk, news=news)
    return replace(chunk, fresh=False, edited=True)


def most_novel(chunks: Sequence[Chunk], reference: Iterable[str]) -> Iterator[Chunk]:
    """Yield chunks so that the first ones tell the most of what the reference lacks.

    Terms are words and pairs of words of the new lines that no text of the reference holds and at
    least two of these documents do: what only one says helps with no other. Greedy, by the terms'
    log count of documents over the cost of the row, each telling halving the worth of the next
    (submodular, so lazily: Minoux 1978). Of equals the first comes first.
    """
    terms = [_terms(chunk.news or chunk.text) for chunk in chunks]
    old = _found(set().union(*terms), reference)
    documents: dict[_Term, set[str]] = defaultdict(set)
    for chunk, said in zip(chunks, terms, strict=True):
        for term in said - old:
            documents[term].add(chunk.uri)
    worth = {term: math.log(len(uris)) for term, uris in documents.items() if len(uris) > 1}
    told: Counter[_Term] = Counter()
    mine = [[term for term in sorted(said, key=repr) if term in worth] for said in terms]
    costs = [len((chunk.news or chunk.text).split()) + _WORDS_A_ROW for chunk in chunks]

    def gain(at: int) -> float:
        return math.fsum(worth[term] * _HALVED ** told[term] for term in mine[at]) / costs[at]

    queue = [(-gain(at), at) for at in range(len(chunks))]
    heapq.heapify(queue)
    while queue:
        _, at = heapq.heappop(queue)
        now = (-gain(at), at)
        if queue and now > queue[0]:
            heapq.heappush(queue, now)
            continue
        told.update(mine[at])
        yield chunks[at]


def _terms(text: str) -> set[_Term]:
    words = _WORD.findall(text)
    return {*words, *pairwise(words)}


def _found(wanted: AbstractSet[_Term], texts: Iterable[str]) -> set[_Term]:
    found: set[_Term] = set()
    for text in texts:
        found |= _terms(text) & wanted
    return found
