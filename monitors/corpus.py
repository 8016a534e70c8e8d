"""A chunk table as the detectors read it. Knows Arrow and NumPy, no other library."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    r"""Return the words of a text, case-folded; markup, punctuation and line breaks are gone.

    >>> words("The *grace period*\nis 14 days.")
    ['the', 'grace', 'period', 'is', '14', 'days']
    """
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class Corpus:
    """The chunks of one snapshot, parallel by position, ordered by uri and ordinal.

    `vectors` is (chunks, dimension), rows of unit length, or None where no embedder was at hand.
    """

    uris: tuple[str, ...]
    texts: tuple[str, ...]
    headings: tuple[tuple[str, ...], ...]
    normal_digests: tuple[str, ...]
    document_digests: tuple[str, ...]
    vectors: NDArray[np.float32] | None = None

    @classmethod
    def from_table(cls, table: pa.Table) -> Corpus:
        """Read a chunk table: uri, headings, ordinal, text, normal_digest, document_digest, …."""
        ordered = table.sort_by([("uri", "ascending"), ("ordinal", "ascending")])

        def column(name: str) -> tuple[Any, ...]:
            return tuple(ordered.column(name).to_pylist())

        return cls(
            uris=column("uri"),
            texts=column("text"),
            headings=tuple(tuple(trail or ()) for trail in column("headings")),
            normal_digests=column("normal_digest"),
            document_digests=column("document_digest"),
            vectors=_matrix(ordered) if "vector" in ordered.column_names else None,
        )

    def __len__(self) -> int:
        return len(self.uris)

    def documents(self) -> Iterator[tuple[str, slice]]:
        """Yield each uri with the positions of its chunks."""
        starts = [i for i in range(len(self)) if i == 0 or self.uris[i] != self.uris[i - 1]]
        for start, stop in pairwise([*starts, len(self)]):
            yield self.uris[start], slice(start, stop)

    def without(self, uris: Collection[str]) -> Corpus:
        """Return the corpus without the chunks of these documents."""
        return self.take([at for at, uri in enumerate(self.uris) if uri not in uris])

    def take(self, positions: Sequence[int]) -> Corpus:
        """Return the chunks at these positions, in that order."""

        def taken(column: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(column[at] for at in positions)

        return Corpus(
            uris=taken(self.uris),
            texts=taken(self.texts),
            headings=taken(self.headings),
            normal_digests=taken(self.normal_digests),
            document_digests=taken(self.document_digests),
            vectors=None if self.vectors is None else self.vectors[list(positions)],
        )


def joined(first: Corpus, second: Corpus) -> Corpus:
    """Return the documents of two corpora that share none, ordered as a corpus is.

    Vectors are kept where both have them, or the one that is not empty.
    """
    whole = Corpus(
        uris=first.uris + second.uris,
        texts=first.texts + second.texts,
        headings=first.headings + second.headings,
        normal_digests=first.normal_digests + second.normal_digests,
        document_digests=first.document_digests + second.document_digests,
        vectors=_stacked(first, second),
    )
    return whole.take(sorted(range(len(whole)), key=lambda at: whole.uris[at]))


def _stacked(first: Corpus, second: Corpus) -> NDArray[np.float32] | None:
    held = [corpus.vectors for corpus in (first, second) if len(corpus)]
    present = [vectors for vectors in held if vectors is not None]
    if len(present) < len(held):
        return None
    return np.concatenate(present) if present else first.vectors


def _matrix(table: pa.Table) -> NDArray[np.float32]:
    column = table.column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(table), column.type.list_size)
