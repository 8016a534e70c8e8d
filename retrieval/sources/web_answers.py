"""What an answer of a web server is: a document, no document, or why there is none."""

import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from retrieval.records import RefusalCode
from retrieval.sources.web_fetch import Answer, FetchError
from retrieval.sources.web_links import Links, read_links, robots_words
from retrieval.sources.web_notes import Note
from retrieval.sources.web_visits import Visit

OK, NOT_MODIFIED = 200, 304
GONE = {404, 410}

_SERVER_ERROR = 500
_HTML = {"text/html", "application/xhtml+xml"}
_TEXT_BUT_NO_DOCUMENT = {"text/css", "text/javascript", "text/ecmascript", "text/event-stream"}
_DOCUMENTS = _HTML | {
    "",  # not said: the parser looks at the bytes
    "application/json",
    "application/pdf",
    "application/xml",
    "application/yaml",
}
_OFFICE = "application/vnd.openxmlformats-officedocument."


def is_document(answer: Answer) -> bool:
    """True if the type of an answer is one that can be parsed."""
    kind = answer.media_type
    is_text = kind.startswith("text/") and kind not in _TEXT_BUT_NO_DOCUMENT
    return is_text or kind in _DOCUMENTS or kind.startswith(_OFFICE)


def require_page(answer: Answer) -> None:
    """Raise FetchError unless the answer is a page with its body."""
    if answer.status == OK:
        return
    if answer.status in GONE:
        raise FetchError(RefusalCode.VANISHED, f"it is gone: status {answer.status}")
    ours = 400 <= answer.status < _SERVER_ERROR  # noqa: PLR2004 where the client is to blame
    code = RefusalCode.FORBIDDEN if ours else RefusalCode.UNREADABLE
    raise FetchError(code, f"its server answers with status {answer.status}")


def note_of(visit: Visit) -> Note:
    """Return what to remember of a page that came whole."""
    answer = visit.answer
    links = Links()
    if answer.media_type in _HTML:
        links = read_links(_text(answer), visit.address)
    words = robots_words(answer.headers.get("x-robots-tag", ""))
    return Note(
        stamp=f"sha256:{hashlib.sha256(answer.body).hexdigest()}",
        size=len(answer.body),
        media_type=answer.media_type,
        etag=answer.headers.get("etag", ""),
        last_modified=answer.headers.get("last-modified", ""),
        addresses=() if "nofollow" in words else links.addresses,
        canonical=links.canonical,
        listed=links.listed and "noindex" not in words,
    )


def last_modified(answer: Answer) -> datetime | None:
    """Return when the server says that a page was changed last."""
    try:
        return parsedate_to_datetime(answer.headers.get("last-modified", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _text(answer: Answer) -> str:
    _, _, charset = answer.headers.get("content-type", "").lower().partition("charset=")
    try:
        return answer.body.decode(charset.strip("\"' ;") or "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")
