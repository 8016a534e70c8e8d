"""The text of web pages, in one pass and without a tree. With ooxml, the only file with lxml.

Nothing is run, fetched or rendered; where links and images lead is not even kept.
"""

import re
from collections.abc import Mapping

from lxml import etree

from retrieval.decoding import decode
from retrieval.outline import Draft, Outline, sensible_title

_DROPPED = frozenset(
    {"script", "style", "svg", "template", "nav", "noscript", "iframe", "object", "canvas"}
    | {"select", "button", "datalist", "audio", "video", "dialog"}
)
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl"}
    | {"dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "li", "main"}
    | {"ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_CELLS = frozenset({"td", "th"})
_INLINE_IN_CELLS = frozenset({"p", "div", "ul", "ol", "li", "dl", "dt", "dd", "section"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])")
_PERMALINK = " \N{PILCROW SIGN}#\N{LINK SYMBOL}"
_BREAK = "\x1e"  # a line break that is meant; those in the source are only white space
_META = re.compile(
    rb"""<meta\b[^>]{0,200}?\bcharset\s{0,5}=\s{0,5}["']?\s{0,5}(?P<charset>[\w:.-]{1,40})""",
    re.IGNORECASE,
)
_META_BYTES = 4_096
_FEED_CHARACTERS = 1 << 16


def read(data: bytes, charset: str | None) -> Outline:
    """Return the text of the page, of its main part if it names one, under its headings."""
    found = None if charset else _META.search(data[:_META_BYTES])
    return outline_of(decode(data, charset=found["charset"].decode() if found else charset))


def outline_of(page: str) -> Outline:
    """Return the title, headings and text of a page of HTML.

    >>> outline_of("<title>T</title><nav>x</nav><h1>H</h1><p>a <b>b</b>").sections
    (Section(headings=('H',), text='a b'),)
    """
    page_text = _PageText()
    encoded = page.encode("utf-8", errors="replace")
    parser = etree.HTMLParser(
        target=page_text, no_network=True, remove_comments=True, encoding="utf-8", huge_tree=True
    )
    for at in range(0, len(encoded), _FEED_CHARACTERS):
        parser.feed(encoded[at : at + _FEED_CHARACTERS])
    parser.close()
    return page_text.outline()


class _PageText:
    """What the parser calls for each tag and text, in order."""

    def __init__(self) -> None:
        self._draft = Draft()
        self._line: list[str] = []
        self._title: list[str] = []
        self._in_title = False
        self._level = 0  # of the heading that is being read
        self._pre = 0
        self._depth = 0
        self._dropped_at = 0  # how deep the element is whose text is not wanted; 0 for none
        self._cells = 0
        self._open: list[tuple[int, str, int]] = []  # areas: how deep, which, from which line
        self._areas: dict[str, list[slice]] = {"main": [], "article": []}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._dropped_at:
            return
        if tag in _DROPPED or _is_hidden(tag, attributes):
            self._dropped_at = self._depth
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._start_block(tag, attributes)
        else:
            self._start_inline(tag, attributes)

    def end(self, tag: str) -> None:
        if self._dropped_at == self._depth:
            self._dropped_at = 0
        elif not self._dropped_at:
            self._end_element(tag)
        if self._open and self._open[-1][0] == self._depth:
            _, area, first = self._open.pop()
            self._areas[area].append(slice(first, len(self._draft.lines)))
        self._depth -= 1

    def data(self, text: str) -> None:
        if not self._dropped_at:
            (self._title if self._in_title else self._line).append(text)

    def close(self) -> None:
        self._end_line()

    def outline(self) -> Outline:
        title = sensible_title("".join(self._title))
        areas = self._areas["main"] or self._areas["article"]
        # Several articles are a list of them, and what stands between them belongs to it.
        if len(areas) == 1 and any(map(str.strip, self._draft.lines[areas[0]])):
            return self._draft.outline(title, lines=areas[0])
        return self._draft.outline(title)

    def _start_inline(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _CELLS:
            self._cells += 1
            self._line.append(" | " if any(map(str.strip, self._line)) else "")
        elif tag == "br":
            self._line.append(" " if self._level else _BREAK)
        elif tag == "img":
            self._line.append(f" {attributes.get('alt') or ''} ")

    def _start_block(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._cells and tag in _INLINE_IN_CELLS:
            self._line.append(" ")
            return
        self._end_line()
        self._level = _HEADINGS.get(tag, 0)
        self._pre += tag == "pre"
        if tag not in {"tr", "li", "dd"}:
            self._draft.gap()
        if tag == "li":
            self._line.append("- ")
        area = "main" if attributes.get("role") == "main" else tag
        if area in self._areas and area not in {each[1] for each in self._open}:
            self._open.append((self._depth, area, len(self._draft.lines)))

    def _end_element(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in _CELLS:
            self._cells = max(0, self._cells - 1)
        elif self._cells and tag in _INLINE_IN_CELLS:
            self._line.append(" ")
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._end_line()
            self._level = 0
            self._pre = max(0, self._pre - (tag == "pre"))
            if tag not in {"tr", "li", "dt", "dd"}:
                self._draft.gap()

    def _end_line(self) -> None:
        if not self._line:
            return
        raw, self._line = "".join(self._line), []
        if self._level:
            self._draft.head(self._level, raw.strip().rstrip(_PERMALINK))
        elif self._pre:
            if raw.strip():
                self._draft.write(raw.replace(_BREAK, "\n").strip("\n"))
        else:
            lines = (" ".join(line.split()) for line in raw.split(_BREAK))
            self._draft.lines.extend(line for line in lines if line and line != "-")


def _is_hidden(tag: str, attributes: Mapping[str, str]) -> bool:
    """True for what a reader of the page does not see, and only its machine would be told."""
    if tag in {"html", "body"}:  # hidden until a script has run
        return False
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style", "").lower()))
