"""Questions with known answers, out of headings: what a person called it who had not read it yet.

The words of a heading are seldom those of its text, and those of an FAQ are people's own. So that
nobody finds the heading itself, the section's chunks are to be embedded without it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from retrieval.records import Chunk

_NO_PROSE = re.compile(r"[`_(]|release notes|CVE")
_WORD = re.compile(r"[A-Za-z]{3,}")
_FEWEST_WORDS = 3

Trail = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as a question; every chunk below it, by id, answers."""

    text: str
    chunks: frozenset[str]


def headings(chunks: Iterable[Chunk], count: int, seed: int) -> list[Heading]:
    """Return up to `count` headings of prose, of subsections, that stand once in the corpus."""
    sections = _sections(chunks)
    names = Counter(trail[-1] for _, trail in sections)
    found = [
        _question(each, sections)
        for each in sections
        if not _is_faq(each) and _is_prose(each[1][-1]) and names[each[1][-1]] == 1
    ]
    Random(seed).shuffle(found)  # noqa: S311 a draw of questions, not a secret
    return found[:count]


def asked_often(chunks: Iterable[Chunk]) -> list[Heading]:
    """Return the questions of the corpus' own FAQ."""
    sections = _sections(chunks)
    return [_question(each, sections) for each in sections if _is_faq(each)]


def withheld(chunks: Iterable[Chunk], asked: Iterable[Heading]) -> dict[str, tuple[str, ...]]:
    """Return, by chunk id, the heading trails that are left once nobody sees what is asked."""
    answering = frozenset(each for question in asked for each in question.chunks)
    return {chunk.id: chunk.headings[:-1] for chunk in chunks if chunk.id in answering}


def place(question: Heading, found: Sequence[str]) -> int | None:
    """Return the place, from 1, of the first chunk id that answers; None if none does.

    >>> place(Heading("Flush it", frozenset({"b"})), ["a", "b"])
    2
    """
    return next((at for at, chunk in enumerate(found, 1) if chunk in question.chunks), None)


def _sections(chunks: Iterable[Chunk]) -> dict[Trail, list[str]]:
    """Return the chunk ids of each section below another."""
    found: dict[Trail, list[str]] = {}
    for chunk in chunks:
        if len(chunk.headings) > 1:
            found.setdefault((chunk.uri, chunk.headings), []).append(chunk.id)
    return found


def _question(section: Trail, sections: Mapping[Trail, Sequence[str]]) -> Heading:
    return Heading(section[1][-1], frozenset(sections[section]))


def _is_faq(section: Trail) -> bool:
    uri, trail = section
    return "faq" in uri.lower() and len(trail[-1].split()) >= _FEWEST_WORDS


def _is_prose(heading: str) -> bool:
    return len(_WORD.findall(heading)) >= _FEWEST_WORDS and not _NO_PROSE.search(heading)
