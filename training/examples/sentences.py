r"""Markup taken off a chunk's text, so that sentences and cells can be asked about. Pure.

Covers what documentation is written in, reStructuredText, Markdown and plain text, by line rules
and not by a parser: a construct that is not known stays as text, and only makes a poorer question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ROLE = re.compile(r":[a-z][\w:+.-]*:`([^`]+)`")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_RST_LINK = re.compile(r"`([^`<]+?)\s*<[^<>]*>`__?")
_REFERENCE = re.compile(r"`([^`]+)`__?(?!\w)")
_MD_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_CODE = re.compile(r"`{1,2}([^`]+)`{1,2}")
_STRONG = re.compile(r"\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])")
_SIMPLE_REFERENCE = re.compile(r"(?<=[A-Za-z0-9])_{1,2}(?=[\s.,;:)]|$)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")

_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")

# Longer is no prose; and no pattern is let loose on a text that was made to choke it.
_LONGEST_PARAGRAPH = 2_000

_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)]|#\.)\s+")
_DIRECTIVE = re.compile(r"^\s*\.\.(?:\s|$)")
# Directives whose body is prose; what stands under any other may be code, a picture or a comment.
_PROSE_BODY = re.compile(
    r"^\s*\.\. (?:py:)?(?:note|warning|tip|hint|important|caution|danger|attention|versionadded|"
    r"versionchanged|deprecated|class|method|classmethod|staticmethod|function|attribute|data|"
    r"exception|module|setting|signal|command|option|envvar|describe|confval)::"
)
_CODE_BLOCK = re.compile(r"^\s*\.\. (?:code-block|code|sourcecode|literalinclude|console)::")
_FIELD = re.compile(r"^\s*:[\w ]+:(?:\s|$)")
_RULE = re.compile(r"^\s*[-=~^'\"#*+|:. ]{3,}$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)[\"')]?\s+(?=[\"'(`]?[A-Z0-9`])"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its row's first cell, its column's header, and what it says."""

    key: str
    column: str
    value: str


def plain(text: str) -> str:
    r"""Return inline text without its markup, on one line.

    >>> plain("See :setting:`~a.B.c <x>`, ``-s``, **bold** and [here](u).")
    'See c, -s, bold and here.'
    """
    text = _ROLE.sub(lambda role: _short(role[1]), text)
    for pattern in (_RST_LINK, _REFERENCE, _CODE, _MD_LINK):
        text = pattern.sub(r"\1", text)
    text = _STRONG.sub(lambda strong: strong[1] or strong[2], text)
    text = _SIMPLE_REFERENCE.sub("", _TAG.sub("", text))
    return " ".join(text.replace("\\", "").translate(_STRAIGHT).split())


def _short(role: str) -> str:
    target = _TARGET.sub("", role).strip().lstrip("!")
    return target[1:].rsplit(".", 1)[-1] if target.startswith("~") else target


def sentences(text: str) -> Iterator[str]:
    r"""Yield the sentences of prose and list items, without code, tables and directives.

    >>> list(sentences("One thing.\nIt is\n5 m. Two.\n\n* A bullet.\n\n"))
    ['One thing.', 'It is 5 m.', 'Two.', 'A bullet.']
    """
    for paragraph in _paragraphs(text):
        if len(paragraph) <= _LONGEST_PARAGRAPH:
            yield from (s for s in _SENTENCE_END.split(plain(paragraph)) if s)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs and list items; a line that is not prose ends the paragraph."""
    lines: list[str] = []
    for line, prose in _prose_lines(text):
        bullet = _BULLET.match(line)
        if lines and (not prose or bullet):
            yield " ".join(lines)
            lines = []
        if prose:
            lines.append(line[bullet.end() :] if bullet else line.strip())
    if lines:
        yield " ".join(lines)


def code_lines(text: str) -> Iterator[str]:
    r"""Yield the lines of code blocks, without their indent and without comments.

    >>> list(code_lines("Run::\n\n    x = 1  \n    # no\n\nDone."))
    ['x = 1']
    """
    for line, code in _code_lines(text):
        if code and line.strip() and not line.lstrip().startswith(("#", ":", "..")):
            yield line.strip()


def _code_lines(text: str) -> Iterator[tuple[str, bool]]:
    fenced = False
    opener: int | None = None
    for line in text.expandtabs(4).splitlines():
        indent = len(line) - len(line.lstrip())
        fence, blank = bool(_FENCE.match(line)), not line.strip()
        if opener is not None and indent <= opener and not blank:
            opener = None
        yield line, not fence and (fenced or opener is not None)
        fenced ^= fence
        if opener is None and not fenced and (_CODE_BLOCK.match(line) or _is_opening(line)):
            opener = indent


def _is_opening(line: str) -> bool:
    return line.rstrip().endswith("::") and not _DIRECTIVE.match(line)


def _prose_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each line and whether it is prose: not code, a table, a directive or a rule."""
    fenced = False
    opener: int | None = None  # the indent of a line whose deeper lines are no prose
    for line in text.expandtabs(4).splitlines():
        indent = len(line) - len(line.lstrip())
        is_fence, blank = bool(_FENCE.match(line)), not line.strip()
        if opener is not None and indent <= opener and not blank:
            opener = None
        body = fenced or opener is not None
        yield line, not (body or blank or is_fence or _is_furniture(line))
        fenced ^= is_fence
        if not body and _opens_a_body(line):
            opener = indent


def _opens_a_body(line: str) -> bool:
    if _DIRECTIVE.match(line):
        return not _PROSE_BODY.match(line)
    return line.rstrip().endswith("::")


def _is_furniture(line: str) -> bool:
    return (
        len(line) > _LONGEST_PARAGRAPH
        or line.lstrip().startswith(("|", ">>>", "#"))
        or any(pattern.match(line) for pattern in (_DIRECTIVE, _RULE, _FIELD))
    )


def cells(text: str) -> Iterator[Cell]:
    r"""Yield the cells of Markdown tables, beside their row's first cell and their header.

    >>> list(cells("| plan | price |\n|---|---|\n| `Seed` | 0.00 |"))
    [Cell(key='Seed', column='price', value='0.00')]
    """
    header: list[str] = []
    rows = [_row(line) for line in text.splitlines() if len(line) <= _LONGEST_PARAGRAPH]
    for before, row in zip([[], *rows], rows, strict=False):
        if not row:
            header = []
        elif before and all(_RULE.match(cell) for cell in row):
            header = before
        elif header and len(row) == len(header):
            pairs = list(zip(header, row, strict=True))
            yield from (Cell(row[0], column, value) for column, value in pairs[1:])


def _row(line: str) -> list[str]:
    line = line.strip()
    if not (line.startswith("|") and line.endswith("|") and len(line) > 1):
        return []
    return [plain(cell) for cell in line[1:-1].split("|")]
