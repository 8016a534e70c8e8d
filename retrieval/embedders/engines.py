"""What computes the vectors of one batch, and how texts are sorted into batches for it."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders import OnProgress, Vectors, unit_length
from retrieval.errors import EmbedderMemoryError
from retrieval.records import EngineName

Ids = NDArray[np.int64]

_HELD = 8_192  # texts tokenized ahead, to be sorted by length: 16 MB at 256 tokens
# How the libraries say that there is no memory; they have no class for it on a CPU.
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")


@dataclass(frozen=True, slots=True, eq=False)
class Tokenized:
    """A text and the tokens that the model reads of it."""

    text: str
    ids: list[int]


class Engine(Protocol):
    """One way to compute a model's vectors. `lanes` batches may be embedded at the same time."""

    @property
    def name(self) -> EngineName:
        """The library and the number type."""
        ...

    @property
    def batch(self) -> int:
        """How many texts make a batch; the fastest by measurement."""
        ...

    @property
    def lanes(self) -> int:
        """How many batches are embedded side by side, each in a thread."""
        ...

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        """Return one row a text; raise MemoryError if the batch is too large."""
        ...


def embed_all(
    engine: Engine,
    texts: Iterable[Tokenized],
    *,
    count: int,
    dimension: int,
    on_progress: OnProgress | None = None,
) -> Vectors:
    """Return one row of unit length a text. Raises EmbedderMemoryError if one alone is too large.

    Texts of like length go together, for a batch is padded to its longest; the longest go first,
    so that a machine too small for them says so at once.
    """
    vectors = np.empty((count, dimension), dtype=np.float32)
    done = 0
    for start, held in _held(texts):
        order = sorted(range(len(held)), key=lambda at: -len(held[at].ids))
        batches = [order[at : at + engine.batch] for at in range(0, len(order), engine.batch)]
        made = _embed_batches(engine, [[held[at] for at in batch] for batch in batches])
        for batch, rows in zip(batches, made, strict=True):
            at = [start + each for each in batch]
            vectors[at] = unit_length(rows, (len(batch), dimension))
            done += len(batch)
            if on_progress is not None:
                on_progress(done, count)
    return vectors


def padded(texts: Sequence[Tokenized]) -> tuple[Ids, Ids]:
    """Return ids and mask of a batch, each row filled up to the longest, by 0 behind the mask.

    >>> ids, mask = padded([Tokenized("a b", [5, 6]), Tokenized("c", [7])])
    >>> ids.tolist(), mask.tolist()
    ([[5, 6], [7, 0]], [[1, 1], [1, 0]])
    """
    width = max(len(text.ids) for text in texts)
    ids = np.zeros((len(texts), width), dtype=np.int64)
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
    return ids, mask


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError where a library says in its own words that memory ran out."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _NO_MEMORY):
            raise MemoryError from error
        raise


def _held(texts: Iterable[Tokenized]) -> Iterator[tuple[int, list[Tokenized]]]:
    start = 0
    held: list[Tokenized] = []
    for text in texts:
        held.append(text)
        if len(held) == _HELD:
            yield start, held
            start, held = start + len(held), []
    if held:
        yield start, held


def _embed_batches(engine: Engine, batches: list[list[Tokenized]]) -> Iterator[Vectors]:
    if engine.lanes == 1:  # in this thread: another would start a second team of OpenMP threads
        yield from (_embed_smaller(engine, batch) for batch in batches)
        return
    with ThreadPoolExecutor(engine.lanes) as lanes:
        try:
            yield from lanes.map(lambda batch: _embed_smaller(engine, batch), batches)
        finally:
            lanes.shutdown(wait=False, cancel_futures=True)  # after an error: no more of them


def _embed_smaller(engine: Engine, texts: list[Tokenized]) -> Vectors:
    """Embed a batch, or its halves if memory does not suffice."""
    try:
        return engine.embed_batch(texts)
    except MemoryError as error:
        if len(texts) == 1:
            msg = (
                f"One text of {len(texts[0].ids)} tokens does not fit into memory while it is "
                f"embedded by {engine.name}. Free memory, or name a smaller `model` under "
                "[embedder]."
            )
            raise EmbedderMemoryError(msg) from error
    half = len(texts) // 2
    return np.concatenate(
        [_embed_smaller(engine, texts[:half]), _embed_smaller(engine, texts[half:])]
    )
