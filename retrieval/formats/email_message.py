"""One e-mail: who wrote to whom, when, and what. Standard library, and html for its HTML part."""

import email
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage

from retrieval.errors import DocumentRefusedError
from retrieval.formats import html
from retrieval.outline import Draft, Outline
from retrieval.records import RefusalCode, Section

MAX_DEPTH = 20  # a forwarded mail in a forwarded mail …
MAX_PARTS = 500
_SHOWN = ("From", "To", "Date")
_Part = tuple[int, EmailMessage]


def read(data: bytes, _charset: str | None) -> Outline:
    """Return the mail under its subject: its text parts, else its HTML as text.

    What is attached is named, not read. Raises DocumentRefusedError with DOC_UNSAFE if parts are
    nested deeper than any mail program does.
    """
    try:
        message = email.message_from_bytes(data, policy=policy.default)
        parts = list(_parts(message))
    except RecursionError as error:
        raise _too_deep() from error
    if not message.keys():
        reason = "it does not begin with the header of an e-mail"
        raise DocumentRefusedError(RefusalCode.DAMAGED, reason)
    subject = " ".join(str(message.get("Subject", "")).split())
    draft = Draft()
    draft.head(1, subject)
    draft.lines.extend(f"{name}: {message[name]}" for name in _SHOWN if message[name])
    pages = _write_parts(draft, parts)
    outline = draft.outline(subject)
    trail = (subject,) if subject else ()
    below = [Section((*trail, *each.headings), each.text) for page in pages for each in page]
    return Outline(outline.title, (*outline.sections, *below))


def _write_parts(draft: Draft, parts: list[EmailMessage]) -> list[tuple[Section, ...]]:
    pages = []
    plain = any(_is_text(part, "plain") for part in parts)
    for part in parts:
        draft.gap()
        name = part.get_filename()
        if name:
            draft.lines.append(f"Attachment: {name}")
        elif _is_text(part, "plain"):
            draft.write(part.get_content().replace("\r\n", "\n").strip())
        elif _is_text(part, "html") and not plain:
            pages.append(html.outline_of(part.get_content()).sections)
    return pages


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """Yield what is not a container, forwarded mails' parts too, without recursion."""
    waiting: list[_Part] = [(0, message)]
    count = 0
    while waiting:
        depth, part = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_PARTS:
            raise _too_deep()
        below = part.get_payload()
        if part.is_multipart() and isinstance(below, list):
            inner = [each for each in reversed(below) if isinstance(each, EmailMessage)]
            waiting.extend((depth + 1, each) for each in inner)
        else:
            yield part


def _is_text(part: EmailMessage, kind: str) -> bool:
    return part.get_content_type() == f"text/{kind}" and not part.get_filename()


def _too_deep() -> DocumentRefusedError:
    reason = f"its parts are nested more than {MAX_DEPTH} deep, or are over {MAX_PARTS}"
    return DocumentRefusedError(RefusalCode.UNSAFE, reason)
