"""New topics: whether incoming documents are about something that the reference never spoke of.

Formula: each incoming document's distance to its nearest reference document; the mean of all, of
the farthest quarter and of the farthest tenth are one permutation test over whole documents, where
all that is nearer than the farthest tenth of all documents counts as equally near. The
mean finds a batch that is all foreign, the tails find a few foreign documents among others. A
batch about a known subject has near neighbours, so it moves the *mix* (`mix`, a discrepancy of
means) without being a new topic.
References: N. Henze, "A multivariate two-sample test based on the number of nearest neighbor type
coincidences", 1988; S. Bates et al., "Testing for outliers with conformal p-values", 2023.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words
from monitors.sampling.distances import document_distances
from monitors.sampling.permutation import (
    CURRENT_CLUSTERS,
    REFERENCE_CLUSTERS,
    PermutationTest,
    Statistics,
    bounded,
    clustered_mmd,
    permutation_test,
    too_few,
)

# Of the shares 1, 1/2, 1/4 and 1/10 that were tried on two foreign documentation sets, these three
# together were never far behind the best one (docs/drift.md).
_TAILS = (1.0, 0.25, 0.10)
# Documents of one known subject are often a little farther than others, and are nothing new: what
# is under the farthest tenth of all documents counts as equally near. Of 40 batches from a single
# folder that alarmed 8 instead of 31, and more foreign documents were found (docs/drift.md).
_FLOOR = 0.90
# Ranked first: the mean distance to three neighbours does not hang on one odd document.
_NEIGHBOURS = 3
# A document as far out as the farthest tenth of the reference is one whose words name the topic.
_FAR = 0.10
_WORDS = 6
_SHORTEST = 3
# Permutations of a played draw: 199 reach the stated 5 % with room, and 200 draws take a second.
_PLAYED = 199


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """How far one document is from the three nearest of the reference.

    `as_far` is the share, 0..1, of reference documents at least as far from the other ones, with
    the document counted: its conformal p-value, valid for this one document alone.
    """

    uri: str
    distance: float
    as_far: float


@dataclass(frozen=True, slots=True)
class NewTopics:
    """The test for a new topic, and the incoming documents by distance, farthest first.

    `mix` tells whether known subjects come in other shares; None without vectors. `words` are the
    ones that set the far documents apart from the reference.
    """

    test: PermutationTest
    mix: PermutationTest | None
    documents: tuple[IncomingDocument, ...]
    words: tuple[str, ...]


def measure(
    reference: Corpus, incoming: Corpus, *, permutations: int, level: float = 0.05, seed: int = 0
) -> NewTopics | None:
    """Test incoming documents against a sample of the reference; None if nothing came in.

    Both sides are bounded (`permutation.bounded`), so the cost is the same at any size. `level`
    and `permutations` are those of the schedule's look.

    >>> def corpus(*texts):
    ...     uris = tuple(f"{at:03}.md" for at in range(len(texts)))
    ...     return Corpus(uris, texts, ((),) * len(texts), uris, uris)
    >>> known = corpus(*[f"the grace period of plan {at} is long" for at in range(60)])
    >>> found = measure(known, corpus("zebras graze", "zebras run"), permutations=999)
    >>> found.test.p_value < 0.01, found.words
    (True, ('zebras',))
    """
    old = _sample(reference, REFERENCE_CLUSTERS, seed)
    new = _sample(incoming, CURRENT_CLUSTERS, seed)
    if not len(new):
        return None
    distances = document_distances([old, new])
    uris = [uri for uri, _ in new.documents()]
    arrived = np.arange(len(distances) - len(uris), len(distances))
    ranked = _ranked(distances, uris)
    return NewTopics(
        test=permutation_test(
            nearest_distances(distances),
            arrived,
            clusters=len(distances),
            permutations=permutations,
            level=level,
            seed=seed,
        ),
        mix=_mix(old, new, permutations=permutations, level=level, seed=seed),
        documents=ranked,
        words=_distinctive(old, new, ranked),
    )


def nearest_distances(distances: NDArray[np.float32]) -> Statistics:
    """Return the mean nearest distance of all drawn documents, and of their farthest tails.

    `distances` is (documents, documents) with an infinite diagonal. A distance counts from the
    one under which nine tenths of all documents have a neighbour, drawn or not.
    """
    floor = np.quantile(distances.min(axis=1), _FLOOR, method="lower")
    order = np.argsort(distances, axis=1, kind="stable")
    sorted_distances = np.maximum(np.take_along_axis(distances, order, axis=1), floor)

    def statistics(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        marks = np.zeros((len(drawn), len(distances)), dtype=bool)
        np.put_along_axis(marks, drawn, values=True, axis=1)
        documents = drawn.ravel()
        draws = np.repeat(np.arange(len(drawn)), drawn.shape[1])
        nearest = np.empty(len(documents))
        pending, place = np.arange(len(documents)), 0
        while len(pending):
            drawn_too = marks[draws[pending], order[documents[pending], place]]
            settled = pending[~drawn_too]
            nearest[settled] = sorted_distances[documents[settled], place]
            pending, place = pending[drawn_too], place + 1
        farthest = -np.sort(-nearest.reshape(drawn.shape), axis=1)
        sizes = [max(1, round(share * drawn.shape[1])) for share in _TAILS]
        return np.stack([farthest[:, :size].mean(axis=1) for size in sizes], axis=1)

    return statistics


def play(
    reference: Corpus, *, incoming: int, level: float = 0.05, seed: int = 0
) -> Callable[[int], float] | None:
    """Return the p-value of a draw of so many reference documents, played as incoming ones.

    For `schedule.own_null`: the argument of what is returned is the draw's number. None where a
    sample of the reference has too few documents to reach the level.
    """
    sample = _sample(reference, REFERENCE_CLUSTERS, seed)
    distances = document_distances([sample])
    if too_few(len(distances) - incoming, incoming, level=level):
        return None
    statistics = nearest_distances(distances)

    def p_value(number: int) -> float:
        generator = np.random.default_rng((seed, number))
        arrived = generator.choice(len(distances), size=incoming, replace=False)
        found = permutation_test(
            statistics,
            arrived,
            clusters=len(distances),
            permutations=max(_PLAYED, ceil(1 / level)),
            level=level,
            seed=number,
        )
        return 1.0 if found.p_value is None else found.p_value

    return p_value


def _sample(corpus: Corpus, documents: int, seed: int) -> Corpus:
    """Return so many documents at most, and a few chunks of each."""
    sizes = [chunks.stop - chunks.start for _, chunks in corpus.documents()]
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    return corpus.take(bounded(numbers, most=documents, seed=seed).tolist())


def _mix(
    old: Corpus, new: Corpus, *, permutations: int, level: float, seed: int
) -> PermutationTest | None:
    if old.vectors is None or new.vectors is None:
        return None
    return clustered_mmd(
        old.vectors,
        _numbers(old),
        new.vectors,
        _numbers(new),
        permutations=permutations,
        level=level,
        seed=seed,
    )


def _numbers(corpus: Corpus) -> NDArray[np.int64]:
    """Return the number (chunks,) of each chunk's document."""
    return np.unique(np.array(corpus.uris, dtype=np.str_), return_inverse=True)[1]


def _ranked(distances: NDArray[np.float32], uris: Sequence[str]) -> tuple[IncomingDocument, ...]:
    """Rank the incoming documents, which are the last ones, by distance to the reference."""
    known = len(distances) - len(uris)
    if not known:
        return ()
    # A reference document is never its own neighbour, and may have only so many others.
    neighbours = max(1, min(_NEIGHBOURS, known - 1))
    means = np.sort(distances[:, :known], axis=1)[:, :neighbours].mean(axis=1)
    inside, found = np.sort(means[:known]), means[known:]
    farther = known - np.searchsorted(inside, found)
    return tuple(
        IncomingDocument(uris[at], float(found[at]), float((1 + farther[at]) / (1 + known)))
        for at in sorted(range(len(uris)), key=lambda at: (-found[at], uris[at]))
    )


def _distinctive(old: Corpus, new: Corpus, ranked: Sequence[IncomingDocument]) -> tuple[str, ...]:
    """Return the words that more of the far documents have than of the reference's.

    By share of documents times the log of how many times larger it is than the reference's share.
    """
    far = {document.uri for document in ranked if document.as_far <= _FAR}
    here, there = _documents_with(new, far), _documents_with(old, set(old.uris))
    documents = sum(1 for _ in old.documents())
    weights = {
        word: count / len(far) * log((count / len(far)) / ((1 + there[word]) / (1 + documents)))
        for word, count in here.items()
        if count >= min(2, len(far)) and len(word) >= _SHORTEST and not word.isdigit()
    }
    telling = [word for word, weight in weights.items() if weight > 0]
    return tuple(sorted(telling, key=lambda word: (-weights[word], word))[:_WORDS])


def _documents_with(corpus: Corpus, uris: Collection[str]) -> Counter[str]:
    """Count the documents, of those named, that have each word."""
    return Counter(
        word
        for uri, chunks in corpus.documents()
        if uri in uris
        for word in {word for text in corpus.texts[chunks] for word in words(text)}
    )
