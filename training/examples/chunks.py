"""A chunk table as training reads it: trusted text, each text once, news marked. Knows Arrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa

from training.prompt import passage_title
from training.records import ASKED, Row, RowKind

_COLUMNS = (
    "uri",
    "title",
    "headings",
    "text",
    "digest",
    "normal_digest",
    "document_digest",
    "trust",
    "flags",
)
_PIECES = re.compile(r"[A-Za-z]{1,6}|\d|[^\sA-Za-z0-9]")
LEAST_WORDS = 12
# A system turn, markers and roles, as SmolLM2 counts them.
_PROMPT_TOKENS = 80


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk. `fresh` if its text is not in the reference; `trail` says where it stands.

    `news` are those of its lines that the reference lacks, "" where that is the whole text.
    `edited` if it is not in the reference as it is, but nearly so: neither new nor old.
    """

    uri: str
    title: str
    headings: tuple[str, ...]
    text: str
    digest: str
    document_digest: str
    fresh: bool
    edited: bool = False
    news: str = ""

    @property
    def trail(self) -> str:
        """Return the title and the headings as one line."""
        return passage_title(self.title, self.headings)

    @property
    def wordy(self) -> bool:
        """True if there is enough text to learn from."""
        return len(self.text.split()) >= LEAST_WORDS

    def as_row(self, kind: RowKind) -> Row:
        """Return what is new in the chunk as a text row, under the line that says what it is about.

        Old text is taken whole.
        """
        text = f"{self.trail}\n\n{self._told}"
        return Row(kind, self.uri, self.document_digest, self.digest, text)

    def as_held(self, kind: RowKind, characters: int) -> Row:
        """Return the same to weigh on: the line is read and not told, the text cut to a length."""
        text = self._told[:characters]
        return Row(kind, self.uri, self.document_digest, self.digest, text, question=self.trail)

    @property
    def _told(self) -> str:
        return (self.news or self.text).strip()


def read_chunks(table: pa.Table, known: AbstractSet[str]) -> Iterator[Chunk]:
    """Yield the chunks of a table that may be trained on, the first of equal texts only.

    `known` holds the normal digests of the reference. What is not trusted is never trained on,
    nor is what admission flagged: a secret, or text that speaks to the model.
    """
    seen: set[str] = set()
    ordered = table.sort_by([("uri", "ascending"), ("ordinal", "ascending")])
    columns = (ordered.column(name).to_pylist() for name in _COLUMNS)
    for row in zip(*columns, strict=True):
        uri, title, headings, text, digest, normal, document, trust, flags = row
        if trust != "trusted" or flags or normal in seen or not text.strip():
            continue
        seen.add(normal)
        fresh = normal not in known
        yield Chunk(uri, title, tuple(headings or ()), text, digest, document, fresh)


def approximate_tokens(row: Row) -> int:
    """Return about how many tokens a row has: 4-15 % above SmolLM2's count on documentation.

    >>> approximate_tokens(Row(RowKind.REPLAY, "a", "b", "c", "Wait 30 seconds."))
    6
    """
    said = [row.text, row.question, *(f"{p.title}\n{p.text}" for p in row.passages)]
    pieces = sum(len(_PIECES.findall(text)) for text in said)
    return pieces + (_PROMPT_TOKENS if row.kind in ASKED else 0)
