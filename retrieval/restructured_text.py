"""Headings of reStructuredText and of underlined plain text, by a line scanner of our own.

docutils would want every directive and role of every Sphinx extension known, and takes some
hundred times longer; headings follow one rule that fits on a page.
https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#sections
"""

import re
from collections.abc import Sequence

from retrieval.decoding import decode
from retrieval.outline import Heading, Outline, first_of, split_sections

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1* *")
_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_ENDS_A_BLOCK = re.compile(r"\s|\.\.")  # indented text, a directive or a comment
_NOT_A_TITLE = re.compile(r"\s|\.\. |[-*+•] ")
SURELY_ADORNMENT = 4  # docutils: from four characters on an adornment may be shorter than its title


def read(data: bytes, charset: str | None) -> Outline:
    """Return the text cut at its headings; the first is its title."""
    lines = decode(data, charset=charset).split("\n")
    headings = list_headings(lines)
    return Outline(first_of(headings), split_sections(lines, headings))


def list_headings(lines: Sequence[str]) -> list[Heading]:
    """Return the headings in order, with levels in order of first appearance.

    >>> [(h.level, h.text) for h in list_headings(["One", "===", "", "Two", "---", "", "x"])]
    [(1, 'One'), (2, 'Two')]
    """
    styles: list[tuple[str, bool]] = []
    headings: list[Heading] = []
    end = 0
    for at in _beginnings(lines):
        found = at >= end and (_overlined(lines, at) or _underlined(lines, at))
        if found:
            style, title, end = found
            if style not in styles:
                styles.append(style)
            headings.append(Heading(styles.index(style) + 1, title, at, end))
    return headings


def _beginnings(lines: Sequence[str]) -> list[int]:
    """Return where a heading may begin: on an adornment, or on the line above one."""
    adornments = [
        at for at, line in enumerate(lines) if line[:1] in _MARKS and _ADORNMENT.fullmatch(line)
    ]
    return sorted({max(at, 0) for line in adornments for at in (line - 1, line)})


_Found = tuple[tuple[str, bool], str, int]  # (adornment, overlined), title, line after it


def _underlined(lines: Sequence[str], at: int) -> _Found | None:
    title = lines[at].rstrip()
    if (
        at + 1 >= len(lines)
        or not title
        or _NOT_A_TITLE.match(title)
        or _ADORNMENT.fullmatch(title)
    ):
        return None
    if not _adorns(lines[at + 1], title) or not _starts_a_block(lines, at):
        return None
    return (lines[at + 1][0], False), title, at + 2


def _overlined(lines: Sequence[str], at: int) -> _Found | None:
    if at + 2 >= len(lines) or not _starts_a_block(lines, at):
        return None
    over, title, under = lines[at], lines[at + 1].strip(), lines[at + 2]
    if not title or over.rstrip() != under.rstrip() or not _adorns(over, title):
        return None
    return (over[0], True), title, at + 3


def _adorns(line: str, title: str) -> bool:
    length = len(line.rstrip())
    return bool(_ADORNMENT.fullmatch(line)) and length >= min(len(title), SURELY_ADORNMENT)


def _starts_a_block(lines: Sequence[str], at: int) -> bool:
    """False inside a paragraph; true after anything that ends one, another heading too."""
    before = lines[at - 1] if at else ""
    return not before.strip() or bool(_ENDS_A_BLOCK.match(before) or _ADORNMENT.fullmatch(before))
