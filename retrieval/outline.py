"""From headings and their lines to sections. Pure: knows no markup language."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from retrieval.records import Section

MAX_HEADING_CHARACTERS = 200  # a longer line is a paragraph that only looks like a heading


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the lines it takes up, `first` included, `end` not. Level 1 is outermost."""

    level: int
    text: str
    first: int
    end: int


def split_sections(lines: Sequence[str], headings: Sequence[Heading]) -> tuple[Section, ...]:
    """Return the text between headings, each piece with its trail of headings.

    A heading with nothing under it is text of the section above, so that no word is lost and a
    document of headings alone is still a document.

    >>> split_sections(["T", "=", "", "a"], [Heading(1, "T", 0, 2)])
    (Section(headings=('T',), text='a'),)
    """
    short = [heading for heading in headings if len(heading.text) <= MAX_HEADING_CHARACTERS]
    return tuple(_sections(lines, short))


def _sections(lines: Sequence[str], headings: Sequence[Heading]) -> Iterator[Section]:
    preamble = text_of(lines[: headings[0].first if headings else len(lines)])
    if preamble:
        yield Section((), preamble)
    trail: list[Heading] = []
    for heading, following in zip_longest(headings, headings[1:]):
        trail = [above for above in trail if above.level < heading.level]
        body = text_of(lines[heading.end : following.first if following else len(lines)])
        if body:
            yield Section((*(above.text for above in trail), heading.text), body)
        elif following is None or following.level <= heading.level:
            yield Section(tuple(above.text for above in trail), heading.text)
        trail.append(heading)


def text_of(lines: Sequence[str]) -> str:
    r"""Return the lines as written, without the blank ones at either end.

    >>> text_of(["", "  indented", "", "end ", " "])
    '  indented\n\nend'
    """
    first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    return "\n".join(lines[first:]).rstrip()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a reader makes of a document: the title it gives itself, if any, and its sections."""

    title: str | None
    sections: tuple[Section, ...]


class Draft:
    """Lines and headings, written from top to bottom by the reader of a format.

    >>> draft = Draft()
    >>> draft.head(1, "Title")
    >>> draft.write("text")
    >>> draft.outline()
    Outline(title='Title', sections=(Section(headings=('Title',), text='text'),))
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.headings: list[Heading] = []

    def write(self, text: str) -> None:
        """Add text as it stands, one line or many."""
        self.lines.extend(text.split("\n"))

    def gap(self) -> None:
        """End the paragraph."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def head(self, level: int, text: str) -> None:
        """Begin a section; a heading without a word is left out."""
        line = " ".join(text.split())
        if line:
            at = len(self.lines)
            self.lines.append(line)
            self.headings.append(Heading(level, line, at, at + 1))

    def outline(self, title: str | None = None, *, lines: slice | None = None) -> Outline:
        """Return all, or only what stands in `lines`; the first heading stands in for a title."""
        first, end, _ = (lines or slice(None)).indices(len(self.lines))
        headings = [
            Heading(each.level, each.text, each.first - first, each.end - first)
            for each in self.headings
            if first <= each.first < end
        ]
        sections = split_sections(self.lines[first:end], headings)
        return Outline((title or "").strip() or first_of(headings), sections)


def first_of(headings: Sequence[Heading]) -> str | None:
    """Return the first heading as a title, not longer than a heading may be."""
    return headings[0].text[:MAX_HEADING_CHARACTERS] if headings else None


_NO_TITLES = re.compile(
    r"untitled.*|document ?\d*|presentation ?\d*|powerpoint presentation|microsoft word.*"
    r"|(?:book|workbook|mappe|sheet) ?\d*|slide ?\d+|.*\.(?:docx?|xlsx?|pptx?|pdf|indd|tex|dvi)",
    re.IGNORECASE | re.DOTALL,
)


def sensible_title(text: str | None) -> str | None:
    """Return a title from a file's properties, unless a program wrote it there unasked.

    >>> sensible_title(" Annual  report "), sensible_title("Microsoft Word - x.doc")
    ('Annual report', None)
    """
    title = " ".join((text or "")[: 2 * MAX_HEADING_CHARACTERS].split())[:MAX_HEADING_CHARACTERS]
    return None if not title or _NO_TITLES.fullmatch(title) else title
