"""From headings and their lines to sections. Pure: knows no markup language."""

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
