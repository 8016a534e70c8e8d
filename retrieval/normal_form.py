"""Text without markup, case and white space, so that reformatting does not look like news."""

import hashlib
import re
import unicodedata

# Invisible characters go; typographic quotes become straight ones.
_PLAIN = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad")) | str.maketrans(
    "\u2018\u2019\u201c\u201d", "''\"\""
)
_ESCAPE = re.compile(r"\\(?=[^\w\s]|_)")
_UNDERSCORES = re.compile(r"(?<!\w)_++|(?<!_)_++(?!\w)")
# Words that are no words: a rule or an adornment (====, +---+), or a lone bullet, quote or
# heading mark. Comparisons (>=, ==, !=, <) and signs before digits say something and stay.
_MARK = re.compile(r"[-=~^'#+:.]{3,}|:?-+:?|[+•>]|[#>]{2,}|#|::")


def normalise(text: str) -> str:
    r"""Return the text as one line of lower-case words without markup.

    Works on words, never on lines, so that re-wrapping a paragraph changes nothing. Digits, signs
    before digits and every word stay: a changed number or an inserted "not" must show.

    >>> normalise("Title\n=====\n\n* `Timeout` is **-5**\n  seconds")
    'title timeout is -5 seconds'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    if "\\" in text:
        text = _ESCAPE.sub("", text)
    words = text.replace("|", " ").casefold().split()
    if "_" in text:
        # Word by word: the expression is slow, and few words have one.
        words = [_UNDERSCORES.sub("", word) if "_" in word else word for word in words]
    plain = " ".join(words).replace("~~", "").replace("*", "").replace("`", "").replace('"', "")
    # A look at the first character spares nearly every word the other expression.
    return " ".join(
        word for word in plain.split() if word[0].isalnum() or not _MARK.fullmatch(word)
    )


def normal_digest(text: str) -> str:
    """Return the sha256 of the normal form, hex.

    >>> normal_digest("Not  *now*.") == normal_digest("not now.")
    True
    """
    return hashlib.sha256(normalise(text).encode()).hexdigest()
