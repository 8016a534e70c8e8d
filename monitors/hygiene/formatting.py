"""Whether two versions of a document say the same, however they are set. Pure.

Within one markup the words and numbers must be equal, in order. From one markup to another, words
of the markup itself may come and go; a number may only where the markup held it, and a negation
never: a factual edit is not formatting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from monitors.corpus import Corpus, words
from monitors.hygiene.markup import Plain, is_marked_up, plain, tokens

# What converters write in words where a directive stood, by its meaning in Sphinx.
_WRITTEN = frozenset((
    "note", "notes", "warning", "tip", "hint", "important", "caution", "danger", "error",
    "attention", "admonition", "see", "also", "seealso", "new", "in", "version", "added",
    "changed", "since", "title", "topic", "sidebar", "code", "block", "literal", "figure",
    "image",
))  # fmt: skip
_DIGITS = re.compile(r"\d+")
_NEGATIONS = frozenset((
    "not", "no", "never", "cannot", "neither", "nor", "without", "don", "doesn",
    "didn", "isn", "aren", "wasn", "weren", "won", "t",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with the headings that begin with it."""

    digest: str
    headings: tuple[str, ...]
    text: str


def passages(corpus: Corpus, chunks: slice) -> Iterator[Passage]:
    """Yield the passages of one document; a heading is read once, where its section begins."""
    before: tuple[str, ...] = ()
    parts = (corpus.normal_digests[chunks], corpus.headings[chunks], corpus.texts[chunks])
    for digest, trail, text in zip(*parts, strict=True):
        if trail and trail[0] in before:
            # The outermost headings are left out of a chunk that has no room for them.
            trail = before[: before.index(trail[0])] + trail  # noqa: PLW2901 - the same trail, whole
        known = 0
        while known < min(len(before), len(trail)) and before[known] == trail[known]:
            known += 1
        yield Passage(digest, trail[known:], text)
        before = trail


def left_over(one: list[Passage], other: list[Passage]) -> tuple[str, str]:
    """Return the text of each side without the passages that both hold once."""
    held, holds = Counter(map(_key, one)), Counter(map(_key, other))
    common = {key for key, count in held.items() if count == 1 == holds[key]}
    return _without(one, common), _without(other, common)


def full_text(document: list[Passage]) -> str:
    """Return the whole text of a document, headings on lines of their own."""
    return _without(document, frozenset())


def same_in_other_markup(one: str, other: str) -> bool:
    r"""True where two texts say the same, one in reStructuredText and one in Markdown.

    >>> same_in_other_markup("Call :func:`f`.\n\n.. note:: Once.", "Call `f`.\n\n> **Note:** Once.")
    True
    >>> same_in_other_markup("Call :func:`f`.", "Do not call `f`.")
    False
    """
    return _same(plain(one), plain(other))


def same_in_other_flavour(one: str, other: str) -> bool:
    r"""True where two texts in one markup say the same with other marks of that markup.

    The words must be equal, in order, and so must what stands in the markup beside them, in any
    order: a target of a link may go to the end of the text, but may be no other.

    >>> same_in_other_flavour("# A\n[b](c.md) **d**", "A\n=\n[b][1] __d__\n\n[1]: c.md")
    True
    >>> same_in_other_flavour("[b](c.md)", "[b][1]\n\n[1]: d.md")
    False
    """
    before, now = plain(one), plain(other)
    return (
        before.words == now.words
        and before.marks == now.marks
        and _compared(one) == _compared(other)
    )


def same_but_for_numbers(one: str, other: str) -> bool:
    """True where two texts hold the same words but for numbers: the quick question before others.

    >>> same_but_for_numbers("1. Wait 5 s.", "1. Wait 6 s."), same_but_for_numbers("a b", "a c")
    (True, False)
    """
    return all(word.isdigit() for word in _words(one) ^ _words(other))


def changed_markup(one: str, other: str) -> bool:
    """True where only one of two texts has the marks of reStructuredText."""
    return is_marked_up(one) != is_marked_up(other)


def _same(one: Plain, other: Plain) -> bool:
    numbers = _numbers(one), _numbers(other)
    if not (numbers[0] <= numbers[1] or numbers[1] <= numbers[0]):
        return False
    held, holds = Counter(one.words), Counter(other.words)
    went, came = held - holds, holds - held
    markup = one.marks | other.marks | _WRITTEN
    either = went.keys() | came.keys()
    if either & _NEGATIONS:
        return False
    if not (_explained(went, came, markup) or _explained(came, went, markup)):
        return False
    if any(map(_has_digit, went)) and any(map(_has_digit, came)):
        return False
    # A word of the markup may have gone here and come there; of the others the order counts.
    loose = {word for word in markup - _NEGATIONS if not _has_digit(word)} | either
    return _left(one, loose) == _left(other, loose)


def _words(text: str) -> set[str]:
    return {word.strip("_") for word in words(text)}


def _compared(text: str) -> list[str]:
    """Return the lone comparisons of a text, which might be quotes of Markdown elsewhere."""
    return [token for token in tokens(text) if token in {"<", ">"}]


def _left(text: Plain, dropped: set[str]) -> list[str]:
    return [word for word in text.words if word not in dropped]


def _explained(pieces: Counter[str], whole: Counter[str], markup: frozenset[str]) -> bool:
    """True where all are words of the markup, or two of one side make one of the other.

    A chunk may end inside an endless word.
    """
    left = Counter({word: count for word, count in pieces.items() if word not in markup})
    for word in whole.elements():
        cuts = ((word[:at], word[at:]) for at in range(1, len(word)))
        found = next((cut for cut in cuts if left[cut[0]] and left[cut[1]]), None) if left else None
        if found is not None:
            left.subtract(found)
        elif word not in markup:
            return False
    return not any(left.values())


def _numbers(text: Plain) -> set[str]:
    """Return the runs of digits in all of a text, its markup included."""
    return set(_DIGITS.findall(" ".join(text.marks.union(text.words))))


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _key(passage: Passage) -> tuple[str, tuple[str, ...]]:
    return passage.digest, passage.headings


def _without(document: list[Passage], common: Collection[tuple[str, tuple[str, ...]]]) -> str:
    kept: list[str] = []
    for passage in document:
        if _key(passage) not in common:
            kept += (*passage.headings, passage.text)
    # A chunk may end between the two dots and the name of a label; put them together again.
    return "\n\n".join(kept).replace("\n..\n\n_", "\n.. _")
