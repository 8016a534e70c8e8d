"""From bytes to text, or a refusal that says why. Nothing else here imports charset-normalizer."""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from retrieval.errors import DocumentRefusedError
from retrieval.records import RefusalCode

MAX_ODD_SHARE = 0.01  # of control bytes, of characters that did not decode
MIN_ZERO_SHARE = 0.4  # of the bytes that are zero in UTF-16 wherever a letter is Western
# A run of lines without a word, as only broken programs write: each would cost as much memory in
# a parser as a line of text.
_GAP_LINES = 100
_GAP = re.compile(f"\\n{{{_GAP_LINES},}}")
# What a byte-order mark says beats every guess; UTF-32 first, its mark begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = re.compile(
    rb"%PDF-|PK[\x03\x05]|\x1f\x8b|\x89PNG|GIF8[79]a|\xff\xd8\xff|\x7fELF|BZh[1-9]1AY|\xfd7zXZ"
    rb"|Rar!|7z\xbc\xaf|\xd0\xcf\x11\xe0|\x28\xb5\x2f\xfd|\{\\rtf"
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1b"))
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"


def decode(data: bytes, *, charset: str | None = None) -> str:
    r"""Return the text with line ends as \n and no byte-order mark; raise DocumentRefusedError.

    A byte-order mark beats the `charset` that the source names, and that beats every guess; a
    charset that the bytes contradict is not believed. Of many blank lines in a row a few are left.

    >>> decode(b"\xef\xbb\xbfone\r\ntwo"), decode(b"\xe9", charset="latin-1")
    ('one\ntwo', 'é')
    """
    mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", ""))
    text = _decoded(data[len(mark) :], encoding) if mark else _unmarked(data, charset)
    if not text.strip(_INVISIBLE).strip():
        raise DocumentRefusedError(RefusalCode.EMPTY, "it holds no text")
    if "\0" in text:
        raise DocumentRefusedError(RefusalCode.BINARY, "it holds NUL characters")
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return _GAP.sub("\n\n\n", text) if "\n" * _GAP_LINES in text else text


def _unmarked(data: bytes, charset: str | None) -> str:
    if b"\0" in data and (encoding := _utf_16_without_mark(data)):
        return _decoded(data, encoding)
    _refuse_binary(data)
    told = _as_told(data, charset) if charset else None
    if told is not None:
        return told
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        damaged = data.decode("utf-8", errors="replace")
    lost = damaged.count("\ufffd")
    # Mostly sound multi-byte sequences: UTF-8 with a few broken bytes, not another encoding.
    if sum(character > "\x7f" for character in damaged) > 2 * lost:
        return _mostly_sound(damaged, lost)
    return _guessed(data)


def _as_told(data: bytes, charset: str) -> str | None:
    try:
        text = data.decode(codecs.lookup(charset).name, errors="replace")
    except (LookupError, UnicodeError):  # no such charset, or one that is not for text
        return None
    return text if text.count("\ufffd") <= MAX_ODD_SHARE * len(text) else None


def _utf_16_without_mark(data: bytes) -> str | None:
    """Name the UTF-16 of a mostly Western text: every other byte is zero, the others are not."""
    half = len(data) // 2
    even, odd = data[::2].count(0), data[1::2].count(0)
    if len(data) % 2 or max(even, odd) < MIN_ZERO_SHARE * half or min(even, odd):
        return None
    return "utf-16-le" if odd else "utf-16-be"


def _refuse_binary(data: bytes) -> None:
    if _MAGIC.match(data):
        raise DocumentRefusedError(
            RefusalCode.BINARY, "it begins like a binary file, not like text"
        )
    if b"\0" in data:
        raise DocumentRefusedError(RefusalCode.BINARY, "it holds NUL bytes")
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > MAX_ODD_SHARE * len(data):
        raise DocumentRefusedError(
            RefusalCode.BINARY, f"{controls / len(data):.0%} are control bytes"
        )


def _guessed(data: bytes) -> str:
    best = from_bytes(data).best()
    if best is None:
        raise DocumentRefusedError(RefusalCode.ENCODING, "its encoding cannot be told")
    text = str(best)
    return _mostly_sound(
        text,
        sum(unicodedata.category(c) in {"Cc", "Cn", "Co"} for c in text)
        - sum(text.count(c) for c in "\t\n\r\f\v"),
    )


def _mostly_sound(text: str, odd: int) -> str:
    if odd > MAX_ODD_SHARE * len(text):
        reason = f"{odd / len(text):.0%} of its characters do not decode"
        raise DocumentRefusedError(RefusalCode.ENCODING, reason)
    return text


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        reason = f"its byte-order mark says {encoding}, but it is not"
        raise DocumentRefusedError(RefusalCode.ENCODING, reason) from error
