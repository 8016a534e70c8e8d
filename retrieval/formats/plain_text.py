"""Plain text. It is often underlined as reStructuredText is; all of Django's .txt files are."""

from retrieval import restructured_text
from retrieval.decoding import decode
from retrieval.outline import MAX_HEADING_CHARACTERS, Outline, first_of, split_sections


def read(data: bytes, charset: str | None) -> Outline:
    r"""Return the text cut at underlined headings; the first one, or the first line, is its title.

    >>> read(b"News\n\ntext", None).title
    'News'
    """
    lines = decode(data, charset=charset).split("\n")
    headings = restructured_text.list_headings(lines)
    first_line = next(line for line in lines if line.strip()).strip()
    title = first_of(headings) or first_line[:MAX_HEADING_CHARACTERS]
    return Outline(title, split_sections(lines, headings))
