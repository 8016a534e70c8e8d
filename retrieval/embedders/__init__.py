"""What an embedder is, and when two make the same vectors. No model library is known here."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadVectorsError

OnProgress = Callable[[int, int], None]
Vector = NDArray[np.float32]  # one row: (dimension,)
Vectors = NDArray[np.float32]  # one row a text: (texts, dimension)

SAME_COSINE = 0.9999
"""Vectors this close are one: a search finds the same chunks in the same order."""

PROBE_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "def total(prices): return sum(prices) * 1.19  # 19 % tax, since 2007-01-01",
    "Zur Größe: naïve Übergänge kosten 3,50 €. 東京は日本の首都です。",
)
"""Three texts whose vectors tell one model from another. Never edit them: indexes keep theirs."""


class Embedder(Protocol):
    """Turns texts into vectors of unit length, always the same way.

    `fingerprint` names that way: vectors of two embedders with one fingerprint may be mixed.
    """

    @property
    def fingerprint(self) -> str:
        """A hex digest of everything that decides the vectors, beyond `SAME_COSINE`."""
        ...

    @property
    def dimension(self) -> int:
        """The width of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest text that is read whole, in tokens, special tokens included."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, special tokens included, nothing cut off."""
        ...

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text, in the same order."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a question, which for some models differs from a document's."""
        ...


def probes(embedder: Embedder) -> Vectors:
    """Return the vectors of `PROBE_TEXTS`, to be kept with an index: (3, dimension)."""
    made = embedder.embed(PROBE_TEXTS)
    return unit_length(made, (len(PROBE_TEXTS), embedder.dimension))


def same_space(stored: Vectors, now: Vectors) -> bool:
    """Return whether two embedders' probes are each within `SAME_COSINE` of the other's.

    >>> here = np.eye(3, dtype=np.float32)
    >>> same_space(here, here), same_space(here, here[[1, 0, 2]]), same_space(here, here[:, :2])
    (True, False, False)
    """
    return stored.shape == now.shape and lowest_cosine(stored, now) >= SAME_COSINE


def lowest_cosine(one: Vectors, other: Vectors) -> float:
    """Return the smallest cosine of two matrices of unit rows, row by row.

    >>> rows = np.eye(2, dtype=np.float32)
    >>> lowest_cosine(rows, rows), lowest_cosine(rows, -rows)
    (1.0, -1.0)
    """
    return float((one.astype(np.float64) * other).sum(axis=1).min())


def unit_length(vectors: Vectors, shape: tuple[int, int]) -> Vectors:
    """Return the rows scaled to unit length; raise BadVectorsError for rows that cannot be.

    >>> unit_length(np.array([[3.0, 4.0]], dtype=np.float32), (1, 2)).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    if vectors.shape != shape:
        msg = f"The embedder returned vectors of shape {vectors.shape} where {shape} was asked for."
        raise BadVectorsError(msg)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        bad = int((~(np.isfinite(lengths) & (lengths > 0))).sum())
        msg = f"The embedder returned {bad} of {len(vectors)} vectors that are zero or not finite."
        raise BadVectorsError(msg)
    scaled: Vectors = (vectors / lengths).astype(np.float32)
    return scaled
