"""From sections to chunks that fit the embedder, measured in its own tokens. Pure."""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice

from retrieval.outline import text_of
from retrieval.records import Chunk, Document, Section, embedded_text

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text as the embedder would read it alone, nothing cut off."""

CHUNKER_VERSION = "1"  # part of an index's recipe: raise it when the same text is cut otherwise
MIN_MAX_TOKENS = 16  # below this a heading and a word no longer fit together
# Prose has 4 to 5 characters a token. The cap is for what a tokenizer counts too low, such as one
# endless word that becomes a single "unknown" token.
MAX_CHARACTERS_PER_TOKEN = 8
# Where a text may be cut, best first: paragraphs, sentences, lines, words; and last, characters.
_BOUNDARIES = tuple(
    map(re.compile, (r"\n\s*\n", r"""[.!?…]["'”’)\]]*\s+|[。！？]""", r"\n", r"\s+"))  # noqa: RUF001
)


_Boundaries = tuple[re.Pattern[str], ...]
_BATCH = 4_096  # pieces measured at once


@dataclass(frozen=True, slots=True)
class _Span:
    """A run of characters. `grade` says what ends it: 0 a paragraph, 1 a sentence, and so on."""

    start: int
    end: int
    grade: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A span that is not cut again, and the most tokens it can take up."""

    span: _Span
    tokens: int


def chunk_document(
    document: Document, count_tokens: TokenCounter, *, max_tokens: int
) -> tuple[Chunk, ...]:
    """Return the chunks in reading order; none is over `max_tokens` with its headings.

    No chunk crosses a heading. A section that fits is one chunk; a longer one is cut where its
    own text says so, not at fixed distances, so that an edit moves only the cuts near it.
    """
    if max_tokens < MIN_MAX_TOKENS:
        msg = f"max_tokens is {max_tokens}; a chunk needs at least {MIN_MAX_TOKENS}."
        raise ValueError(msg)
    measure = _Measure(count_tokens, max_tokens)
    fits = measure.fit([embedded_text(s.headings, s.text) for s in document.sections])
    parts: list[Section] = []
    for section, fitting in zip(document.sections, fits, strict=True):
        parts.extend([section] if fitting else _cut_section(section, measure))
    return _identify(document, parts)


@dataclass(frozen=True)
class _Measure:
    """What fits into a chunk, by the embedder's tokens and by a cap on characters."""

    count_tokens: TokenCounter
    max_tokens: int

    @cached_property
    def own_tokens(self) -> int:
        """What the embedder adds to every text, such as its start and end marks."""
        return self.count_tokens([""])[0]

    def fit(self, texts: Sequence[str]) -> list[bool]:
        return [size <= self.max_tokens for size in self.sizes(texts)]

    def sizes(self, texts: Sequence[str]) -> list[int]:
        """Count each text; one that is over the cap is not even tokenized."""
        cap = self.max_tokens * MAX_CHARACTERS_PER_TOKEN
        counts = iter(self.count_tokens([text for text in texts if len(text) <= cap]))
        return [
            max(next(counts), -(-len(text) // MAX_CHARACTERS_PER_TOKEN))
            if len(text) <= cap
            else len(text)
            for text in texts
        ]


def _cut_section(section: Section, measure: _Measure) -> list[Section]:
    headings, text = _shorten_trail(section, measure)
    room = measure.max_tokens - measure.sizes([embedded_text(headings, "")])[0]
    pieces = _cut(text, _Span(0, len(text), 0), room, measure)
    texts = [_trimmed(text[span.start : span.end]) for span in _pack(text, pieces, room)]
    fits = measure.fit([embedded_text(headings, part) for part in texts])
    return [
        Section(headings, whole)
        for part, fitting in zip(texts, fits, strict=True)
        for whole in ([part] if fitting else _halve(headings, part, measure))
        if whole
    ]


def _shorten_trail(section: Section, measure: _Measure) -> tuple[tuple[str, ...], str]:
    """Drop outer headings until the trail leaves half of the chunk; the innermost is never lost."""
    headings = section.headings
    while headings and measure.sizes([embedded_text(headings, "")])[0] > measure.max_tokens // 2:
        if len(headings) == 1:
            return (), f"{headings[0]}\n\n{section.text}"
        headings = headings[1:]
    return headings, section.text


def _cut(
    text: str, span: _Span, room: int, measure: _Measure, boundaries: _Boundaries = _BOUNDARIES
) -> Iterator[_Piece]:
    """Yield pieces of at most `room` tokens, each ended by the best boundary that is enough.

    Lazily, in batches: a text may be one line of many million words.
    """
    if not boundaries:
        yield from _windows(span, room)
        return
    parts = _split(text, span, boundaries[0], len(_BOUNDARIES) - len(boundaries))
    while batch := list(islice(parts, _BATCH)):
        sizes = measure.sizes([text[part.start : part.end] for part in batch])
        for part, size in zip(batch, sizes, strict=True):
            if size - measure.own_tokens <= room:
                yield _Piece(part, max(1, size - measure.own_tokens))
            else:
                yield from _cut(text, part, room, measure, boundaries[1:])


def _split(text: str, span: _Span, boundary: re.Pattern[str], grade: int) -> Iterator[_Span]:
    """Yield the span in parts that end behind each boundary; the last keeps the span's grade."""
    start = span.start
    for found in boundary.finditer(text, span.start, span.end):
        if found.end() < span.end:
            yield _Span(start, found.end(), grade)
            start = found.end()
    yield _Span(start, span.end, span.grade)


def _windows(span: _Span, room: int) -> Iterator[_Piece]:
    """Yield a word without end in pieces of `room` characters: a token is hardly ever shorter."""
    for start in range(span.start, span.end, room):
        end = min(start + room, span.end)
        grade = span.grade if end == span.end else len(_BOUNDARIES)
        yield _Piece(_Span(start, end, grade), end - start)


def _pack(text: str, pieces: Iterable[_Piece], room: int) -> Iterator[_Span]:
    """Yield runs of pieces that fill a chunk."""
    held: list[_Piece] = []
    tokens = 0
    for piece in pieces:
        while held and tokens + piece.tokens > room:
            stop = _stop(text, held, room)
            yield _joined(held[:stop])
            held = held[stop:]
            tokens = sum(each.tokens for each in held)
        held.append(piece)
        tokens += piece.tokens
    if held:
        yield _joined(held)


def _stop(text: str, held: Sequence[_Piece], room: int) -> int:
    """Return how many of the pieces that fit into a chunk go into it.

    Of the cuts that fill it at least half, the best grade wins, then the smallest hash of the
    piece before the cut: a choice that depends on the text there and on nothing far away.
    """
    filled = accumulate(piece.tokens for piece in held)
    choices = [stop for stop, tokens in enumerate(filled, 1) if 2 * tokens >= room]
    return min(
        choices or [len(held)],
        key=lambda stop: (held[stop - 1].span.grade, _hash(text, held[stop - 1].span)),
    )


def _joined(pieces: Sequence[_Piece]) -> _Span:
    last = pieces[-1].span
    return _Span(pieces[0].span.start, last.end, last.grade)


def _hash(text: str, span: _Span) -> int:
    return zlib.crc32(text[span.start : span.end].strip().encode())


def _halve(headings: tuple[str, ...], text: str, measure: _Measure) -> list[str]:
    """Halve until it fits: for tokenizers that count a whole higher than its parts."""
    if len(text) <= 1 or measure.fit([embedded_text(headings, text)])[0]:
        return [text]
    middle = len(text) // 2
    halves = (_trimmed(text[:middle]), _trimmed(text[middle:]))
    return [part for half in halves for part in _halve(headings, half, measure)]


def _trimmed(text: str) -> str:
    return text_of(text.split("\n"))


def _identify(document: Document, parts: Sequence[Section]) -> tuple[Chunk, ...]:
    seen: Counter[str] = Counter()
    chunks = []
    for ordinal, part in enumerate(parts):
        digest = _sha256(embedded_text(part.headings, part.text))
        chunks.append(
            Chunk(
                id=chunk_id(document.uri, digest, seen[digest]),
                uri=document.uri,
                ordinal=ordinal,
                title=document.title,
                headings=part.headings,
                text=part.text,
                digest=digest,
                document_digest=document.digest,
                media_type=document.media_type,
                modified_at=document.modified_at,
                trust=document.trust,
                flags=document.flags,
            )
        )
        seen[digest] += 1
    return tuple(chunks)


def chunk_id(uri: str, digest: str, occurrence: int) -> str:
    """Return the id of a chunk; `occurrence` counts equal chunks of one document from 0.

    >>> chunk_id("a.md", "ff", 0) == chunk_id("a.mdf", "f", 0)
    False
    """
    return _sha256(f"{len(uri)}:{uri}:{digest}:{occurrence}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
