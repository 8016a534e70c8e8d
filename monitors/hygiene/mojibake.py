"""Text that was read in the wrong encoding: found, undone and compared. Pure.

UTF-8 read as Latin-1 or Windows-1252 turns each character beyond ASCII into two to four others;
writing them back as bytes and reading those as UTF-8 undoes it (R. Speer, "ftfy", Zenodo, 2019,
does more; with both versions at hand the other one says what the text was).
"""

from __future__ import annotations

import re

from monitors.hygiene.markup import same_tokens

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
# The bytes 0x80-0x9f as Windows-1252 shows them; it has no characters for five of them.
_WINDOWS = {
    ord(bytes([byte]).decode("cp1252")): byte
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_BYTES = {code: code for code in range(0x100)} | _WINDOWS
_CONTINUATIONS = "\x80-\xbf" + "".join(map(chr, _WINDOWS)) + "\ufffd"
# White space, and what is no character: control characters and those that were lost.
_DROPPED = re.compile("[\\s\x00-\x1f\x7f-\x9f\ufffd]+")
# A first byte of UTF-8 that is followed by as many others as it asks for, shown as characters.
_FAULT = re.compile(
    f"[\xc2-\xdf][{_CONTINUATIONS}]|[\xe0-\xef][{_CONTINUATIONS}]{{2}}"
    f"|[\xf0-\xf4][{_CONTINUATIONS}]{{3}}|\xe2\u20ac|\ufffd"
)
# Twice encoded, and once more for good measure; each round shortens the text.
_ROUNDS = 3
# Up to here the words in ASCII tell what a text says, and accents may be lost beyond repair.
_MOSTLY_ASCII = 0.1


def faults(text: str) -> int:
    """Count the characters that look like UTF-8 read as something else, or were lost.

    >>> faults("Caf\u00c3\u00a9"), faults("Caf\u00e9")
    (1, 0)
    """
    return 0 if text.isascii() else len(_FAULT.findall(text))


def repaired(text: str) -> str:
    """Return the text as it was before it was read in the wrong encoding, once or more often.

    >>> repaired("Caf\u00c3\u00a9, na\u00efve")
    'Café, naïve'
    """
    for _ in range(_ROUNDS):
        if not faults(text):
            break
        text = _FAULT.sub(_decoded, text)
    return text


def same_but_for_encoding(one: str, other: str) -> bool:
    """True where one of two texts is the other after an encoding fault, and says nothing else.

    The words in ASCII must be the same, in order; where there is much else, what can be repaired
    must be what the sound text says. Equal texts and those without a fault are no such case.

    >>> same_but_for_encoding("Caf\u00e9 at 5", "Caf\u00c3\u00a9 at 5")
    True
    >>> same_but_for_encoding("Caf\u00e9 at 5", "Caf\u00c3\u00a9 at 6")
    False
    """
    if one.isascii() and other.isascii():
        return False
    if _seen(one) == _seen(other) or not same_tokens(
        *(_BEYOND_ASCII.sub(" ", t) for t in (one, other))
    ):
        return False
    if _misread(one) & {_seen(other)} or _misread(other) & {_seen(one)}:
        return True
    if faults(one) == faults(other):
        return False
    broken, sound = sorted((one, other), key=faults, reverse=True)
    sound = repaired(sound)
    if sum(not letter.isascii() for letter in sound) <= _MOSTLY_ASCII * len(sound):
        return True
    undone = repaired(broken)
    found, said = _neighbours(undone), _neighbours(sound)
    return found <= said if faults(undone) else found == said


def _misread(text: str) -> set[str]:
    """Return what the text looks like after each fault, without what readers drop."""
    data = text.encode(errors="replace")
    return {_seen(data.decode(encoding, errors="replace")) for encoding in ("latin-1", "cp1252")}


def _seen(text: str) -> str:
    return _DROPPED.sub("", text)


def _decoded(match: re.Match[str]) -> str:
    codes = [_BYTES.get(ord(letter)) for letter in match[0]]
    if None in codes:
        return "\ufffd"
    return bytes(code for code in codes if code is not None).decode("utf-8", errors="replace")


def _neighbours(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring letters beyond ASCII; a lost one has no neighbours."""
    letters = "".join(text.split()).casefold()
    pairs = (letters[at : at + 2] for at in range(len(letters) - 1))
    return frozenset(
        pair for pair in pairs if not pair.isascii() and pair.isalpha() and "\ufffd" not in pair
    )
