"""How far documents are from each other, by their vectors and by their words.

Both see what the other misses: two documents of one field have near vectors and other words, two
of one company have the same words and far vectors. On documentation, their sum found foreign
documents among others more often than either (docs/drift.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words


def document_distances(corpora: Sequence[Corpus]) -> NDArray[np.float32]:
    """Return the distance (documents, documents) between all documents, in the corpora's order.

    The sum of both distances below; of words alone where a corpus has no vectors. The diagonal is
    infinite: no document is a neighbour of its own.
    """
    sizes = [chunks.stop - chunks.start for corpus in corpora for _, chunks in corpus.documents()]
    distances = word_distances([text for corpus in corpora for text in _texts(corpus)])
    vectors = [corpus.vectors for corpus in corpora if corpus.vectors is not None]
    if len(vectors) == len(corpora) and sizes:
        distances += vector_distances(np.concatenate(vectors), np.array(sizes))
    np.fill_diagonal(distances, np.inf)
    return distances


def vector_distances(vectors: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean cosine distance from each chunk to the nearest chunk of the other document.

    `sizes` are the chunks of each document, in the order of the rows. The mean of both directions
    (the Chamfer distance; H. G. Barrow et al., "Parametric correspondence", IJCAI 1977).

    >>> rows = np.array([[1, 0], [0, 1], [1, 0]], dtype="f4")
    >>> vector_distances(rows, np.array([2, 1])).tolist()
    [[0.0, 0.25], [0.25, 0.0]]
    """
    starts = np.cumsum(sizes) - sizes
    nearest = np.maximum.reduceat(vectors @ vectors.T, starts, axis=1)
    means = np.add.reduceat(nearest, starts, axis=0) / sizes[:, None].astype(np.float32)
    closeness: NDArray[np.float32] = np.add(means, means.T, dtype=np.float32)
    return np.float32(1) - closeness / np.float32(2)


def word_distances(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one minus the cosine of the texts' words, each by (1 + log count) · log rarity.

    Reference: G. Salton and C. Buckley, "Term-weighting approaches", 1988 (tf-idf).

    >>> (word_distances(["red wine", "red wine", "green tea", "blue"])[0] < 0.001).tolist()
    [True, True, False, False]
    """
    counted = [Counter(words(text)) for text in texts]
    documents = Counter(word for counts in counted for word in counts)
    numbers = {word: number for number, word in enumerate(documents)}
    weights = np.zeros((len(texts), len(numbers)), dtype=np.float32)
    for row, counts in enumerate(counted):
        columns = [numbers[word] for word in counts]
        weights[row, columns] = 1 + np.log(list(counts.values()))
    weights *= np.log((1 + len(texts)) / (1 + np.array(list(documents.values())))).astype("f4")
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.where(lengths > 0, lengths, 1)
    distances: NDArray[np.float32] = 1 - weights @ weights.T
    return distances


def _texts(corpus: Corpus) -> list[str]:
    return ["\n".join(corpus.texts[chunks]) for _, chunks in corpus.documents()]
