"""Text without markup, case and white space, so that reformatting does not look like news."""

import hashlib
import re
import unicodedata

_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad"))
_STRAIGHT_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_ESCAPE = re.compile(r"\\(?=[^\w\s]|_)")
_INLINE_MARKUP = re.compile(r"[*`\"]|~~|(?<!\w)_++|(?<!_)_++(?!\w)")
# Words that are no words: a rule or an adornment (====, +---+), or a lone bullet, quote or
# heading mark. Comparisons (>=, ==, !=, <) and signs before digits say something and stay.
_MARKS = re.compile(r"(?<!\S)(?:[-=~^'#+:.]{3,}|:?-+:?|[+•>]|[#>]{2,}|#|::)(?!\S)")


def normalise(text: str) -> str:
    r"""Return the text as one line of lower-case words without markup.

    Works on words, never on lines, so that re-wrapping a paragraph changes nothing. Digits, signs
    before digits and every word stay: a changed number or an inserted "not" must show.

    >>> normalise("Title\n=====\n\n* `Timeout` is **-5**\n  seconds")
    'title timeout is -5 seconds'
    """
    text = unicodedata.normalize("NFC", text).translate(_INVISIBLE).translate(_STRAIGHT_QUOTES)
    text = _INLINE_MARKUP.sub("", _ESCAPE.sub("", text).replace("|", " "))
    return " ".join(_MARKS.sub(" ", text).casefold().split())


def normal_digest(text: str) -> str:
    """Return the sha256 of the normal form, hex.

    >>> normal_digest("Not  *now*.") == normal_digest("not now.")
    True
    """
    return hashlib.sha256(normalise(text).encode()).hexdigest()
