r"""Sentences of documentation without its markup: prose, list items, headings, rows, code lines.

Line rules and not a parser: a construct that is not known stays as text. What matters is that the
same text is cut the same way after a re-wrap, and that both versions of a document are cut alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Longer is no sentence (a minified file, a base64 blob): it is read in pieces.
MAX_WORDS = 120
MAX_CHARACTERS = 4_000

# A line was broken on purpose if this part of the longest had held the next word as well: less
# than one, or a word put into one line would break those around it.
_FILLED = 0.75

# Invisible characters go; typographic quotes, dashes and minus become plain ones.
_PLAIN = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad")) | str.maketrans(
    "\u2018\u2019\u201c\u201d\u2010\u2011\u2013\u2212", "''\"\"----"
)
# Every count below is bounded and nothing backtracks, so that no text can make reading it slow.
_ROLE = re.compile(r"(?::[A-Za-z][\w.+-]{0,40}+){1,3}+:(?=`)")
_WEB = r"(?!(?:https?|ftp)://|mailto:)"
_RST_TARGET = re.compile(rf"<{_WEB}(?!\d{{1,9}}>)[^<>`]{{1,300}}+>(?=`)")
_MD_TARGET = re.compile(rf"\]\({_WEB}[^()\s]{{0,300}}+(?: \"[^\"\n]{{0,200}}+\")?\)")
_TAG = re.compile(
    r"</?(?:b|i|em|strong|code|pre|p|br|li|ul|ol|dl|dt|dd|tt|kbd|span|div|su[bp]|h[1-6]"
    r"|t[dhr]|table|tbody|thead)\b[^<>]{0,300}+>"
)
_STRONG = re.compile(r"(?<!\w)\*{1,3}(?=\w)|(?<=\w)\*{1,3}(?![\w*])")
_ESCAPE = re.compile(r"\\(?=[^\w\s]|_)")

_WORDY = re.compile(r"[^\W_]")
_FENCE = ("```", "~~~")
_BULLET = re.compile(r"(?:[-*+•]|#\.|#{1,6}|\(?[a-z]\)) +")
_ENUMERATOR = re.compile(r"\(?\d{1,3}[.)] +")
_OPENS = re.compile(r"\.\. |:[\w -]{1,60}+:(?: |$)|\|")
_ROW = re.compile(r"[^\s.!?:;,] {2,}\S")
_CODE = re.compile(
    r"[^`=]{0,200}+=[^`]{0,300}+$|[^`]{0,300}+(?<=[;{}])$|[\"']?[\w.-]{1,80}+[\"']?: "
    r"|(?:>>>|\$|@|#|//|import |def |from \S{1,80}+ import)"
)
_END = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)[\"')\]*`_]*+ (?=[\"'(\[*`_]*+[A-Z0-9])"
    r"|(?<=[。！？])"  # noqa: RUF001
)


def plain(text: str) -> str:
    r"""Return the text without what only marks it up; lines, quotes and code marks stay.

    Targets of links inside the documentation are markup, addresses on the web are not.

    >>> plain("See :meth:`dates() <a.b.dates>` and [home](../x.md), or [web](https://a.org).")
    'See `dates() ` and [home], or [web](https://a.org).'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    if "`" in text:
        text = _RST_TARGET.sub("", _ROLE.sub("", text))
    if "](" in text:
        text = _MD_TARGET.sub("]", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "*" in text:
        text = _STRONG.sub("", text)
    return _ESCAPE.sub("", text) if "\\" in text else text


def sentences(text: str) -> Iterator[str]:
    r"""Yield each sentence on one line; a table's row and a line of code are sentences too.

    >>> list(sentences("Limits\n======\n\n* It is\n  5 m. Not 6.\n\n| a | 1 |\n| b | 2 |"))
    ['Limits', 'It is 5 m.', 'Not 6.', '| a | 1 |', '| b | 2 |']
    """
    for block in _blocks(text):
        for sentence in _END.split(" ".join(block.split())):
            yield from _pieces(sentence)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without its marks. `column` is where it begins, `end` where it ends."""

    text: str
    column: int
    end: int
    opens: bool
    alone: bool
    hangs: bool


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs, list items, headings, rows and lines of code, without their marks."""
    paragraph: list[_Line] = []
    listed = False
    for raw in text.splitlines():
        if _WORDY.search(raw) and not raw.lstrip().startswith(_FENCE):
            line = _line(raw, listed=listed or not paragraph)
            listed = line.opens if not paragraph else listed or line.opens
            paragraph.append(line)
        else:
            yield from _divided(paragraph)
            paragraph, listed = [], False
    yield from _divided(paragraph)


def _line(raw: str, *, listed: bool) -> _Line:
    line = raw.strip()
    if line.startswith("> "):
        line = line[2:].lstrip()
    marker = _BULLET.match(line) or (_ENUMERATOR.match(line) if listed else None)
    heading = line.startswith("#")
    line = line[marker.end() :] if marker else line
    hangs = bool(_OPENS.match(line))
    end = len(raw.rstrip())
    alone = heading or _stands_alone(line)
    return _Line(line, end - len(line), end, bool(marker) or hangs, alone, hangs)


def _divided(lines: Sequence[_Line]) -> Iterator[str]:
    """Yield the parts of a paragraph. A line that was broken for no lack of room ends its part."""
    if not lines:
        return
    room = _FILLED * max(line.end for line in lines)
    part = [lines[0].text]
    for before, line in pairwise(lines):
        first = line.text.split(" ", 1)[0]
        broken = first[0].isupper() and before.end + 1 + len(first) <= room
        indented = line.column != before.column and not before.hangs
        if line.opens or line.alone or before.alone or broken or indented:
            yield " ".join(part)
            part = []
        part.append(line.text)
    yield " ".join(part)


def _stands_alone(line: str) -> bool:
    """Tell a heading, a row or a line of code from a line of wrapped prose."""
    return bool(line[:1] == "|" or _CODE.match(line) or _ROW.search(line))


def _pieces(sentence: str) -> Iterator[str]:
    if not _WORDY.search(sentence):
        return
    words = sentence.split(" ")
    for start in range(0, len(words), MAX_WORDS):
        yield " ".join(words[start : start + MAX_WORDS])[:MAX_CHARACTERS]
