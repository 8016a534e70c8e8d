"""The text layer of PDF files. Nothing else here imports pypdf.

Scripts, actions, forms and embedded files are never looked at.
"""

import io
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from retrieval.errors import DocumentRefusedError
from retrieval.formats import FOREIGN_FAULTS
from retrieval.outline import Draft, Outline, sensible_title
from retrieval.records import RefusalCode

MAX_PAGES = 5_000
_MAX_ENTRIES = 20_000  # of an outline, which may lead in circles
_MAX_LEVEL = 6
# It reports each repair of a damaged file; what matters is whether text comes out.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read(data: bytes, _charset: str | None) -> Outline:
    """Return the text page by page; what the outline names is a heading where it leads to.

    A file that opens with the empty password is read. Pages over MAX_PAGES are left out, and the
    text says so. Raises DocumentRefusedError with DOC_ENCRYPTED, DOC_DAMAGED or DOC_EMPTY.
    """
    try:
        return _read(data)
    except PyPdfError as error:
        reason = f"it is damaged beyond repair: {error}"
        raise DocumentRefusedError(RefusalCode.DAMAGED, reason) from error


def _read(data: bytes) -> Outline:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentRefusedError(RefusalCode.ENCRYPTED, "it is protected with a password")
    draft = Draft()
    headings = _headings(reader)
    for number, page in enumerate(islice(reader.pages, MAX_PAGES)):
        _write_page(draft, page.extract_text(), headings.get(number, ()))
    if not any(map(str.strip, draft.lines)):
        reason = "it has no text layer: its pages are images, to be read with OCR first"
        raise DocumentRefusedError(RefusalCode.EMPTY, reason)
    if len(reader.pages) > MAX_PAGES:
        draft.gap()
        draft.write(f"… pages {MAX_PAGES + 1:,} on were left out")
    return draft.outline(sensible_title(_title(reader)))


@dataclass(frozen=True, slots=True)
class _Entry:
    level: int
    text: str


def _write_page(draft: Draft, text: str, entries: Sequence[_Entry]) -> None:
    """Write a page, its headings where their words stand on a line, else before all of it."""
    lines = text.split("\n")
    words = {_words(line) for line in lines}
    draft.gap()
    for entry in entries:
        if _words(entry.text) not in words:
            draft.head(entry.level, entry.text)
    waiting = deque(entry for entry in entries if _words(entry.text) in words)
    for line in lines:
        if waiting and _words(line) == _words(waiting[0].text):
            draft.head(waiting[0].level, waiting.popleft().text)
        else:
            draft.lines.append(line.rstrip())


def _words(text: str) -> str:
    return "".join(text.split()).casefold()


def _headings(reader: PdfReader) -> dict[int, list[_Entry]]:
    """Return the outline's entries by page; none from an outline that cannot be read."""
    found: dict[int, list[_Entry]] = {}
    try:
        for level, entry in islice(_entries(reader.outline), _MAX_ENTRIES):
            page = reader.get_destination_page_number(entry)
            if page is not None and entry.title:
                found.setdefault(page, []).append(_Entry(level, str(entry.title)))
    except (PyPdfError, *FOREIGN_FAULTS):
        return {}
    return found


def _entries(outline: Sequence[object], level: int = 1) -> Iterator[tuple[int, Destination]]:
    for each in outline:
        if isinstance(each, list):
            yield from _entries(each, min(level + 1, _MAX_LEVEL))
        elif isinstance(each, Destination):
            yield level, each


def _title(reader: PdfReader) -> str | None:
    try:
        return reader.metadata.title if reader.metadata else None
    except (PyPdfError, *FOREIGN_FAULTS):
        return None
