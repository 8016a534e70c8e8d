"""From the bytes of one document to its sections, cleaned and flagged. In this very process."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import PurePosixPath

from retrieval.admission import admit, flags_of, is_clean
from retrieval.errors import DocumentRefusedError
from retrieval.formats import FOREIGN_FAULTS, READABLE, Format, charset_of, choose_format
from retrieval.outline import Outline
from retrieval.records import Body, Document, RefusalCode, Section

__all__ = [
    "MAX_TEXT_CHARACTERS",
    "PARSER_VERSION",
    "READABLE",
    "digest_of",
    "media_type_of",
    "parse",
]

PARSER_VERSION = "2"
"""To be raised whenever the same bytes give another text: it is part of an index's recipe."""

MAX_TEXT_CHARACTERS = 60_000_000


def parse(
    uri: str,
    data: bytes,
    *,
    media_type: str | None = None,
    modified_at: datetime | None = None,
    trust: str = "trusted",
) -> Document:
    """Return the document with its text as written, cut at its headings.

    `media_type` is what the source says it is, charset included; else the uri's ending tells. The
    title is what the document says itself, else the first heading, else the file's name. Raises
    DocumentRefusedError. The parsers of others run without limits here: for documents of
    strangers there is retrieval.parsing_process.

    >>> parse("a/intro.md", b"# Intro").title
    'Intro'
    """
    chosen = choose_format(uri, media_type)
    outline = _read(chosen, data, charset_of(media_type))
    sections, neutralised = _admitted(outline.sections)
    if not sections:
        raise DocumentRefusedError(RefusalCode.EMPTY, "it holds no text")
    title, taken_out = admit(outline.title or _name_of(uri, chosen))
    return Document(
        uri=uri,
        title=" ".join(title.split()),
        sections=sections,
        media_type=chosen.media_type,
        digest=digest_of(data),
        modified_at=modified_at,
        trust=trust,
        flags=flags_of("\n".join((title, *map(_whole, sections)))),
        neutralised=neutralised + taken_out,
    )


def parse_body(uri: str, body: Body, trust: str) -> Document:
    """Return the document that a source's body is, parsed here: without a child's limits."""
    return parse(
        uri, body.data, media_type=body.media_type, modified_at=body.modified_at, trust=trust
    )


def digest_of(data: bytes) -> str:
    """Return the sha256 of a document's bytes, hex: what decides whether it has changed."""
    return hashlib.sha256(data).hexdigest()


def media_type_of(uri: str) -> str:
    """Return the media type by the ending; whatever is not known is plain text.

    >>> media_type_of("docs/README.MD"), media_type_of("NEWS")
    ('text/markdown', 'text/plain')
    """
    return choose_format(uri).media_type


def _read(chosen: Format, data: bytes, charset: str | None) -> Outline:
    if not data:
        raise DocumentRefusedError(RefusalCode.EMPTY, "it has no bytes")
    # A format's parser is imported when a document needs it: most corpora have two or three.
    read: Callable[[bytes, str | None], Outline] = import_module(chosen.module).read
    if not chosen.foreign:
        return read(data, charset)
    try:
        return read(data, charset)
    except FOREIGN_FAULTS as error:
        reason = f"its parser gave up on it: {type(error).__name__}: {error}"[:300]
        raise DocumentRefusedError(RefusalCode.DAMAGED, reason) from error


def _admitted(sections: tuple[Section, ...]) -> tuple[tuple[Section, ...], int]:
    characters = sum(len(section.text) for section in sections)
    if characters > MAX_TEXT_CHARACTERS:
        reason = f"its text has {characters:,} characters; the limit is {MAX_TEXT_CHARACTERS:,}"
        raise DocumentRefusedError(RefusalCode.TOO_BIG, reason)
    # One look at all of it spares most documents a look at each section and each heading.
    if is_clean("\n".join(part for each in sections for part in (*each.headings, each.text))):
        return tuple(section for section in sections if section.text.strip()), 0
    kept: list[Section] = []
    neutralised = 0
    for section in sections:
        text, count = admit(section.text)
        headings = [admit(heading) for heading in section.headings]
        neutralised += count
        if text.strip():
            kept.append(Section(tuple(each.text for each in headings), text))
    return tuple(kept), neutralised


def _whole(section: Section) -> str:
    return "\n".join((*section.headings[-1:], section.text))


def _name_of(uri: str, chosen: Format) -> str:
    path = PurePosixPath(uri)
    # Of code the ending is part of the name: parser.c is not parser.h.
    return path.name if chosen.module.endswith("source_code") else path.stem
