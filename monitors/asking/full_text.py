"""Full-text search in memory, for a comparison that has no index. Arrow and NumPy, nothing else.

BM25, as S. Robertson and H. Zaragoza give it ("The Probabilistic Relevance Framework: BM25 and
Beyond", 2009, section 3.1). Nothing is indexed ahead: only the words of the questions are counted,
so that a corpus is read once, and not kept a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitors.pair import Search

# The two usual constants: how soon a repeated word stops counting, how much length is held against
# a text (Robertson and Zaragoza, section 3.1.2: 1.2 < k1 < 2, 0.5 < b < 0.8).
_SATURATION = 1.2
_LENGTH = 0.75
# What one question brings back: as many chunks as an assistant is commonly given to answer from.
FOUND = 5
# Texts split into words at a time: bounds the memory of 100,000 chunks to a few megabytes.
_ROWS = 8_192
_NO_WORD = r"[^\p{L}\p{N}_]+"


@dataclass(frozen=True, slots=True)
class _Postings:
    """Which rows hold which of the asked words: those of word w are `starts[w]:starts[w + 1]`."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]


def search_in(texts: Sequence[str]) -> Search:
    """Return a search over these texts: for each question the five best, best first.

    A text that shares no word with a question is never found; of equally good ones, the first is.

    >>> search_in(["The grace period is 14 days.", "Colour of the logo"])(["Which grace period?"])
    [['The grace period is 14 days.']]
    """

    def search(questions: Sequence[str]) -> list[list[str]]:
        asked = [sorted(set(words)) for words in _split(pa.array(questions, pa.string()))]
        vocabulary = pa.array(sorted({word for words in asked for word in words}), pa.string())
        numbers = {word: number for number, word in enumerate(vocabulary.to_pylist())}
        postings = _count(texts, vocabulary)
        return [
            [texts[row] for row in _best(postings, [numbers[w] for w in words], len(texts))]
            for words in asked
        ]

    return search


def _split(texts: pa.Array) -> Iterator[list[str]]:
    for words in _words(texts).to_pylist():
        yield [word for word in words if word]


def _words(texts: pa.Array) -> pa.ListArray:
    """Split lower-cased texts; where one begins or ends with punctuation, a word is empty."""
    return pc.split_pattern_regex(pc.utf8_lower(texts), _NO_WORD)


def _count(texts: Sequence[str], vocabulary: pa.Array) -> _Postings:
    """Weigh every word of the vocabulary in every text that holds it, by BM25."""
    lengths = np.zeros(len(texts))
    keys = [np.empty(0, np.int64)]
    for start in range(0, len(texts), _ROWS):
        split = _words(pa.array(texts[start : start + _ROWS], pa.string()))
        row = pc.list_parent_indices(split).to_numpy().astype(np.int64) + start
        lengths[start : start + _ROWS] = np.bincount(row - start, minlength=len(split))
        number = pc.index_in(split.flatten(), value_set=vocabulary)
        held = number.is_valid().to_numpy(zero_copy_only=False)
        keys.append(number.drop_null().to_numpy().astype(np.int64) * len(texts) + row[held])
    found, times = np.unique(np.concatenate(keys), return_counts=True)
    number, row = np.divmod(found, max(1, len(texts)))
    holders = np.bincount(number, minlength=len(vocabulary))
    rarity = np.log1p((len(texts) - holders + 0.5) / (holders + 0.5))
    relative = lengths[row] / max(1.0, float(lengths.mean()) if len(texts) else 1.0)
    damped = times + _SATURATION * (1 - _LENGTH + _LENGTH * relative)
    weights = rarity[number] * times * (_SATURATION + 1) / damped
    return _Postings(np.concatenate([[0], np.cumsum(holders)]), row, weights)


def _best(postings: _Postings, asked: Sequence[int], texts: int) -> list[int]:
    """Return the rows of the best texts, best first."""
    scores = np.zeros(texts)
    for word in asked:
        of_word = slice(postings.starts[word], postings.starts[word + 1])
        scores[postings.rows[of_word]] += postings.weights[of_word]
    least = np.partition(scores, -FOUND)[-FOUND] if texts > FOUND else 0.0
    candidates = np.flatnonzero((scores >= least) & (scores > 0))
    ordered = candidates[np.argsort(-scores[candidates], kind="stable")]
    return [int(row) for row in ordered[:FOUND]]
