"""From sections to chunks that fit the embedder, measured in its own tokens. Pure."""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from retrieval.normal_form import normal_digest
from retrieval.outline import text_of
from retrieval.records import Chunk, Document, Section, embedded_text

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text as the embedder would read it alone, nothing cut off."""

MIN_MAX_TOKENS = 16  # below this a heading and a word no longer fit together
# Prose has 4 to 5 characters a token. The cap is for what a tokenizer counts too low, such as one
# endless word that becomes a single "unknown" token.
MAX_CHARACTERS_PER_TOKEN = 8
# Where a text may be cut, best first: paragraphs, sentences, lines, words; and last, characters.
_BOUNDARIES = tuple(
    map(re.compile, (r"\n\s*\n", r"""[.!?…]["'”’)\]]*\s+|[。！？]""", r"\n", r"\s+"))  # noqa: RUF001
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of characters that is not cut again. `grade` says what ends it: 0 a paragraph …."""

    start: int
    end: int
    grade: int
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


@dataclass(frozen=True, slots=True)
class _Measure:
    """What fits into a chunk, by the embedder's tokens and by a cap on characters."""

    count_tokens: TokenCounter
    max_tokens: int

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
    pieces = _cut(text, room, measure)
    texts = [_trimmed(text[group[0].start : group[-1].end]) for group in _pack(text, pieces, room)]
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


def _cut(text: str, room: int, measure: _Measure) -> list[_Piece]:
    """Cut into pieces of at most `room` tokens, each at the best boundary that is enough."""
    own = measure.sizes([""])[0]  # what the embedder adds to every text
    spans = [(0, len(text), 0)]
    done: list[_Piece] = []
    for grade, boundary in enumerate(_BOUNDARIES):
        parts = [part for span in spans for part in _split(text, span, boundary, grade)]
        sizes = measure.sizes([text[start:end] for start, end, _ in parts])
        pieces = [
            _Piece(*part, max(1, size - own)) for part, size in zip(parts, sizes, strict=True)
        ]
        done += [piece for piece in pieces if piece.tokens <= room]
        spans = [(p.start, p.end, p.grade) for p in pieces if p.tokens > room]
    done += [piece for span in spans for piece in _windows(span, room)]
    return sorted(done, key=lambda piece: piece.start)


def _split(
    text: str, span: tuple[int, int, int], boundary: re.Pattern[str], grade: int
) -> Iterator[tuple[int, int, int]]:
    """Yield the span in parts that end behind each boundary; the last keeps the span's grade."""
    start, end, last_grade = span
    for found in boundary.finditer(text, start, end):
        if found.end() < end:
            yield start, found.end(), grade
            start = found.end()
    yield start, end, last_grade


def _windows(span: tuple[int, int, int], room: int) -> Iterator[_Piece]:
    """Yield a word without end in pieces of `room` characters: hardly a token is shorter."""
    start, end, last_grade = span
    for at in range(start, end, room):
        stop = min(at + room, end)
        yield _Piece(at, stop, last_grade if stop == end else len(_BOUNDARIES), stop - at)


def _pack(text: str, pieces: Sequence[_Piece], room: int) -> Iterator[Sequence[_Piece]]:
    start = 0
    while start < len(pieces):
        stop = _stop(text, pieces, start, room)
        yield pieces[start:stop]
        start = stop


def _stop(text: str, pieces: Sequence[_Piece], start: int, room: int) -> int:
    """Return where the chunk that begins at `start` ends.

    Of the cuts that fill it at least half, the best grade wins, then the smallest hash of the
    piece before the cut: a choice that depends on the text there and on nothing far away.
    """
    total, choices = 0, []
    for at in range(start, len(pieces)):
        total += pieces[at].tokens
        if total > room:
            break
        choices.append((total, pieces[at].grade, at))
    else:
        return len(pieces)
    filled = [choice for choice in choices if 2 * choice[0] >= room] or choices[-1:]
    return 1 + min(filled, key=lambda c: (c[1], _hash(text, pieces[c[2]])))[2]


def _hash(text: str, piece: _Piece) -> int:
    return zlib.crc32(text[piece.start : piece.end].strip().encode())


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
                normal_digest=normal_digest(part.text),
                document_digest=document.digest,
                media_type=document.media_type,
                modified_at=document.modified_at,
                trust=document.trust,
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
