"""The words of a document with its markup off, reStructuredText or Markdown alike. Pure.

Line and inline patterns, no parsers: both sides of a comparison are read by the same rules, so a
rule that misses something misses it twice. What a pattern takes off is kept aside as marks.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

# Invisible characters go; typographic quotes and dashes become plain ones.
_PLAIN = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad")) | str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...",
     "\u2013": "--", "\u2014": "--", "\u2212": "-", "\u00a0": " "}
)  # fmt: skip
# A word; a number with its sign, its points and colons; a comparison, a currency, a percent sign.
# A lone < or > counts only inside a line: at its start it is a quote of Markdown.
_TOKEN = re.compile(
    r"(?:(?<![\w)\]}.,:/+-])[-+](?=\d))?\w+(?:(?<=\d)[.,:]\d+)*"
    r"|(?<![<>!=])[<>!=]=(?![=>])|(?<=\S )[<>](?= \S)|[€$£¥%°]"
)
_ESCAPE = re.compile(r"\\(?=[^\w\s]|_)")
# Frames of tables and adornments of headings: lines that are made of nothing else.
_RULE_LINE = re.compile(r"(?m)^[ \t]*(?:[-=~^\"'#*+.:|`_ \t]+|([^\w\s])\1{2,})[ \t]*$")
# What says how text is set and not what it says: a role, the language of a block of code.
_SETTING = re.compile(
    r"(?m)^[ \t]*(?:```+|~~~+)[^`\n]*$"
    r"|^[ \t]*\.\. (?:code-block|code|sourcecode|highlight)::.*(?:\n[ \t]+:[\w-]+:.*)*"
    r"|:[\w:+.-]+:(?=`)"
)
_ROLE_OR_DIRECTIVE = re.compile(r"(?m):[\w:+.-]+:`|^[ \t]*\.\. (?:_[^\n]+:|[\w:+-]+::)|`_\b|::$")

# Directives whose argument and body name files and terms for machines, not for readers.
_UNREAD = (
    "only|rst-class|role|default-role|sectionauthor|codeauthor|tabularcolumns|default-domain|"
    "raw|code-block|code|sourcecode|figure|container"
)
_WITH_BODY = (
    "toctree|index|contents|meta|include|literalinclude|image|module|currentmodule|py:module|"
    "py:currentmodule|automodule|highlight"
)
_BODY = "toctree|index|contents|meta"
_BODY = r"(?:\n(?:[ \t]*|(?P=indent)[ \t]+\S.*))*$"
# In this order: what an earlier one took off, a later one does not see. `kept` is what is read.
_ASIDE = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"<!--[^>]*-->",
        r"^[ \t]*(?:`{3,}|~{3,}|:{3,})[^`\n]*$",
        r"^(?P<indent>[ \t]*)\.\.(?:[ \t]+(?!_|\[|\||[\w:+.-]+::)\S.*)?" + _BODY,
        rf"^(?P<indent>[ \t]*)\.\. (?:{_WITH_BODY})::.*" + _BODY,
        rf"^[ \t]*\.\. (?:{_UNREAD})::.*(?:\n[ \t]+:[\w-]+:.*)*",
        r"^[ \t]*\.\. _[^\n]+:(?:[ \t].*)?$|^__ .*$",
        r"^[ \t]*\.\. \|[^|\n]+\| \w+::.*(?:\n[ \t]+:[\w-]+:.*)*",
        r"^[ \t]*\.\. [\w:+.-]+::(?P<kept>.*)(?:\n[ \t]+:[\w-]+:.*)*",
        r"^ {0,3}\[[^\]\n]+\]:[ \t]+(?P<mark>\S.*)$",
        r"`(?P<kept>[^`<]*)<[^<>`]+>`(?:__?)?",
        r"\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+\"[^\"\n]*\")?\)",
        r"\[\^[^\]\n]+\]|\[(?:#?\w*|\*)\]_",
        r"\{(?:[#.:=]|\w+=\")[^{}]{0,400}\}",
        r"https?://[^\s<>()\[\]`\"']+",
        r"</?[a-zA-Z](?:[^<>\n]|\n(?!\s*\n)){0,1000}>",
    )
)
# Converters count items that were marked with a hash.
_ENUMERATOR = re.compile(r"(?m)^(?P<indent>[ \t>]*)(?P<number>\d{1,3}|#)[.)](?=[ \t]|$)")
# A footnote where it is explained: converters put it at the end, whatever stood behind it.
_FOOTNOTE = re.compile(
    r"(?m)^(?P<indent>[ \t]*)(?:\.\. (?P<rst>\[[^\]\n]+\])|(?P<md>\[\^[^\]\n]+\]):)"
    r"(?P<note>.*(?:\n(?P=indent)[ \t]+\S.*)*)$"
)
# A link by its label, and where the label's target is given.
_BY_LABEL = re.compile(r"(?<=\])\[([^\]\n]*)\]")
_LABEL = re.compile(r"(?m)^ {0,3}\[([^\]\n]+)\]:[ \t]+\S")
# A row of a table that is framed all round; its cells may go on for lines, and chunks end there.
_FRAMED_ROW = re.compile(
    r"(?m)(?:(?<=\+\n)|(?<=\+\n\n))(?:[ \t]*\|.*\|[ \t]*\n{1,2})+(?=[ \t]*\+[-=+]+\+)"
)
_ROLE = re.compile(r":(?P<role>[\w:+.-]+):`(?P<shown>[^`]*)`")


@dataclass(frozen=True, slots=True)
class Plain:
    """What a reader reads, in order, and every word that stood in the markup beside it."""

    words: tuple[str, ...]
    marks: frozenset[str]


def tokens(text: str) -> Iterator[str]:
    r"""Yield the words and numbers of a text, free of wrapping, emphasis and adornments.

    Signs, decimal points, comparisons and currencies stay: they are facts. So do the names and
    targets in markup, except roles and the languages of code: this compares a markup with itself.

    >>> list(tokens("Wait\n====\n\n* is **-5.0** or :attr:`x`"))
    ['wait', 'is', '-5.0', 'or', 'x']
    """
    return _found(_RULE_LINE.sub("", _folded(_SETTING.sub(" ", text))))


def same_tokens(one: str, other: str) -> bool:
    """True where two texts have the same words and numbers in the same order.

    >>> same_tokens("Wait *5* days", "wait 5 days"), same_tokens("-5", "5")
    (True, False)
    """
    # Most documents that are compared were edited: the first words that differ end it.
    return all(before == now for before, now in zip_longest(tokens(one), tokens(other)))


def plain(text: str) -> Plain:
    r"""Return the words without directives, roles, targets, labels, fences and attributes.

    >>> plain("See :ref:`the list <settings>`.\n\n.. note:: Be *quick*.").words
    ('see', 'the', 'list', 'be', 'quick')
    """
    aside: list[str] = []

    def take_off(match: re.Match[str]) -> str:
        kept = " ".join(value for name, value in match.groupdict().items()
                        if name.startswith("kept") and value)  # fmt: skip
        aside.append(match.groupdict().get("mark") or match[0])
        return f" {kept} "

    def unnamed(match: re.Match[str]) -> str:
        aside.append(f"{match['role']} {match['shown']}")
        return f" `{match['shown']}` "

    text = _notes_last(_rows_unfolded(_folded(text)), aside)
    labels = {"", *map(str.casefold, _LABEL.findall(text))}
    text = _ROLE.sub(unnamed, text)
    for pattern in _ASIDE:
        text = pattern.sub(take_off, text)
    text = _BY_LABEL.sub(lambda link: " " if link[1].casefold() in labels else link[0], text)
    text = _uncounted(text)
    read = _found(_RULE_LINE.sub("", html.unescape(text)))
    return Plain(
        tuple(word for word in read if word not in {"<", ">"}), frozenset(_found(" ".join(aside)))
    )


def is_marked_up(text: str) -> bool:
    """True where roles, directives, labels or references of reStructuredText stand in it."""
    return _ROLE_OR_DIRECTIVE.search(text) is not None


def _rows_unfolded(text: str) -> str:
    """Return the text with each cell of a framed table in one piece, however it was wrapped."""

    def unfolded(row: re.Match[str]) -> str:
        lines = (line.strip().strip("|").split("|") for line in row[0].splitlines())
        cells = zip_longest(*lines, fillvalue="")
        return "".join(" ".join(part.strip() for part in cell) + "\n" for cell in cells)

    return _FRAMED_ROW.sub(unfolded, text) if "+-" in text or "+=" in text else text


def _notes_last(text: str, aside: list[str]) -> str:
    """Return the text with its footnotes at the end, and put their labels aside."""
    notes: list[str] = []

    def take_out(match: re.Match[str]) -> str:
        aside.append(match["rst"] or match["md"])
        notes.append(match["note"])
        return ""

    return "\n\n".join([_FOOTNOTE.sub(take_out, text), *notes])


def _uncounted(text: str) -> str:
    """Take off the numbers that count the items of a list; one out of turn is said, and stays."""
    last: dict[str, int] = {}

    def count(match: re.Match[str]) -> str:
        number = int(match["number"]) if match["number"] != "#" else 1
        if number not in {1, last.get(match["indent"]), last.get(match["indent"], 0) + 1}:
            return match[0]
        last[match["indent"]] = number
        return " "

    return _ENUMERATOR.sub(count, text)


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return _ESCAPE.sub("", text) if "\\" in text else text


def _found(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text.casefold()):
        if word := match[0].strip("_"):
            yield word
