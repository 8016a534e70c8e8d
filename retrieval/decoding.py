"""From bytes to text, or a refusal that says why. Nothing else here imports charset-normalizer."""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from retrieval.errors import DocumentRefusedError
from retrieval.records import RefusalCode

MAX_ODD_SHARE = 0.01  # of control bytes, of characters that did not decode
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


def decode(data: bytes) -> str:
    r"""Return the text with line ends as \n and no byte-order mark; raise DocumentRefusedError.

    >>> decode(b"\xef\xbb\xbfone\r\ntwo")
    'one\ntwo'
    """
    mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", ""))
    text = _decoded(data[len(mark) :], encoding) if mark else _unmarked(data)
    if not text.strip(_INVISIBLE).strip():
        raise DocumentRefusedError(RefusalCode.EMPTY, "it holds no text")
    if "\0" in text:
        raise DocumentRefusedError(RefusalCode.BINARY, "it holds NUL characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unmarked(data: bytes) -> str:
    _refuse_binary(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        damaged = data.decode("utf-8", errors="replace")
    lost = damaged.count("\ufffd")
    # Mostly sound multi-byte sequences: UTF-8 with a few broken bytes, not another encoding.
    if sum(character > "\x7f" for character in damaged) > 2 * lost:
        return _mostly_sound(damaged, lost)
    return _guessed(data)


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
