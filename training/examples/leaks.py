"""Whether text to weigh on is also among the text to train on. Pure: rows in, an error or nothing.

The last look before a training: whatever chose the rows, a leak would make the weighing a lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.errors import EvalLeakError
from training.examples.near_duplicates import share_seen, shingles, spoken
from training.prompt import one_line
from training.records import Row, RowKind, TrainingSet

SHINGLE_WORDS = 8
# In shorter texts a single run of words would decide.
LEAST_WORDS = 12
MOST_SEEN = 0.8
_MOST_SHOWN = 3


def require_no_leak(examples: TrainingSet) -> None:
    """Raise EvalLeakError if a document is on both sides, or held-out text is trained on.

    Text of twelve words or more is trained on if training rows hold four in five of its runs of
    eight words, wherever they stand; a question also if it is asked in the same words. Shorter
    passages are not compared: "Default: None" is no leak. Linear in the words of all rows.
    """
    held = held_rows(examples)
    found = [*_shared_documents(examples.train, held), *_repeated(examples.train, held)]
    if found:
        more = f", and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        msg = (
            f"Text to weigh on is also trained on: {'; '.join(found[:_MOST_SHOWN])}{more}. "
            "Remove it from the conversations or from the corpus, or choose the rows anew with "
            "another `holdout_salt`."
        )
        raise EvalLeakError(msg)


def _shared_documents(train: Sequence[Row], held: Sequence[Row]) -> Iterator[str]:
    trained = {document.uri for row in train for document in row.documents}
    for uri in dict.fromkeys(document.uri for row in held for document in row.documents):
        if uri in trained:
            yield f"document {uri!r} is on both sides"


def _repeated(train: Sequence[Row], held: Sequence[Row]) -> Iterator[str]:
    """Yield every held-out row whose question or text is trained on, by its kind and document."""
    trained = _Trained(train)
    for row in held:
        leak = next((text for text in texts_of(row) if trained.holds(row, text)), None)
        if leak is not None:
            said = one_line(leak)[:60]
            yield f"{row.kind} row of {row.uri!r} ({said!r}), see {trained.where(leak)!r}"


class _Trained:
    """What is trained on: every text by its words, and every run of words."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        texts = [text for row in rows for text in texts_of(row)]
        self._exact = {spoken(text) for text in texts}
        self._runs: set[int] = set()
        for text in dict.fromkeys(texts):
            self._runs |= shingles(text, SHINGLE_WORDS)

    def holds(self, row: Row, text: str) -> bool:
        said = spoken(text)
        if said.count(" ") + 1 < LEAST_WORDS:
            return text == row.question != "" and said in self._exact
        seen = share_seen(shingles(text, SHINGLE_WORDS), self._runs)
        return said in self._exact or seen >= MOST_SEEN

    def where(self, leak: str) -> str:
        """Return the uri of the training row that shares the most with a text."""
        runs = shingles(leak, SHINGLE_WORDS)
        best = max(self._rows, key=lambda row: len(_runs_of(row) & runs))
        return best.uri


def _runs_of(row: Row) -> set[int]:
    return set().union(*(shingles(text, SHINGLE_WORDS) for text in texts_of(row)))


def without_leaks(train: Sequence[Row], held: Sequence[Row]) -> list[Row]:
    """Return the training rows without those that share a run of words with a leaking text.

    Conversations stay: they are the user's own, and a leak in them is for the user to see.
    """
    trained = _Trained([row for row in train if row.kind is not RowKind.CHAT])
    leaking = [text for row in held for text in texts_of(row) if trained.holds(row, text)]
    if not leaking:
        return list(train)
    runs = set().union(*(shingles(text, SHINGLE_WORDS) for text in leaking))
    return [row for row in train if row.kind is RowKind.CHAT or not _runs_of(row) & runs]


def held_rows(examples: TrainingSet) -> tuple[Row, ...]:
    """Return every row to weigh on."""
    return (
        *examples.holdout_new,
        *examples.holdout_old,
        *examples.holdout_answers,
        *examples.holdout_cloze,
        *examples.holdout_general,
    )


def texts_of(row: Row) -> Iterator[str]:
    r"""Yield every text that a row shows or teaches, but for the line that says where it stands.

    >>> list(texts_of(Row(RowKind.CLOZE, "a", "b", "c", "ten", question="Lid\n\nIt opens at")))
    ['It opens at ten']
    """
    if row.kind in {RowKind.ANSWER, RowKind.CORRECTION}:
        yield row.question
        yield from (passage.text for passage in row.passages)
    elif row.kind is RowKind.CHAT:
        yield from (turn.content for turn in row.turns)
        yield row.text
    else:
        before = f"{row.question} " if row.kind is RowKind.CLOZE else ""
        yield f"{before}{row.text}".split("\n\n", 1)[-1].strip()
