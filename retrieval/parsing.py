"""From the bytes of one document to its sections. Chooses the reader by the file's ending."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

from retrieval import markdown, restructured_text
from retrieval.decoding import decode
from retrieval.errors import DocumentRefusedError
from retrieval.outline import MAX_HEADING_CHARACTERS, Heading, split_sections
from retrieval.records import Document, RefusalCode

_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".rest": "text/x-rst",
}


def parse(
    uri: str, data: bytes, *, modified_at: datetime | None = None, trust: str = "trusted"
) -> Document:
    """Return the document with its text as written, cut at its headings.

    The title is what front matter or the first heading says, for plain text the first line, else
    the file's name. Raises DocumentRefusedError with DOC_EMPTY, DOC_BINARY or DOC_ENCODING.

    >>> parse("a/intro.md", b"# Intro").title
    'Intro'
    """
    media_type = media_type_of(uri)
    title, lines, headings = _outline(decode(data).split("\n"), media_type)
    sections = split_sections(lines, headings)
    if not sections:
        raise DocumentRefusedError(RefusalCode.EMPTY, "it holds front matter and no text")
    return Document(
        uri=uri,
        title=title or PurePosixPath(uri).stem,
        sections=sections,
        media_type=media_type,
        digest=digest_of(data),
        modified_at=modified_at,
        trust=trust,
    )


def digest_of(data: bytes) -> str:
    """Return the sha256 of a document's bytes, hex: what decides whether it has changed."""
    return hashlib.sha256(data).hexdigest()


def media_type_of(uri: str) -> str:
    """Return the media type by the ending; whatever is not known is plain text.

    >>> media_type_of("docs/README.MD"), media_type_of("NEWS")
    ('text/markdown', 'text/plain')
    """
    return _MEDIA_TYPES.get(PurePosixPath(uri).suffix.lower(), "text/plain")


_Outline = tuple[str | None, Sequence[str], list[Heading]]  # title, lines, headings


def _outline(lines: Sequence[str], media_type: str) -> _Outline:
    if media_type == "text/markdown":
        title, begin = markdown.split_front_matter(lines)
        headings = markdown.list_headings("\n".join(lines[begin:]))
        return title or _first(headings), lines[begin:], headings
    # Plain text is often underlined as reStructuredText is; all of Django's .txt files are.
    headings = restructured_text.list_headings(lines)
    return _first(headings) or _first_line(lines, media_type), lines, headings


def _first(headings: Sequence[Heading]) -> str | None:
    return headings[0].text[:MAX_HEADING_CHARACTERS] if headings else None


def _first_line(lines: Sequence[str], media_type: str) -> str | None:
    if media_type != "text/plain":
        return None
    return next(line for line in lines if line.strip()).strip()[:MAX_HEADING_CHARACTERS]
