"""What could be left of an erased text, as keyed digests, and looking for it. Pure; keeps no text.

A trace is a run of five words that no remaining document has, a word of a kind that is never
written by chance, the uri, or the bytes of a vector.
"""

import hashlib
import html
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

RUN = 5
"""Words in a run: as many as a drift signal compares (docs/drift.md); shorter ones are idiom."""

_WORD = re.compile(r"\w+")
_LEAST_WORD = 4
_LEAST_ODD = 6
# Where prose quotes single words of documents: "a new topic came in (words: turbine, relay)".
_QUOTED_WORDS = re.compile(r"words: ([^;)\n]*)")
_ESCAPES = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrtbf]|<[^<>]{0,2000}>")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Traces:
    """What to look for. Digests are keyed by `salt`; `names` are uris as they are.

    `tails` are the last parts of uris that no remaining document shares: found in any path.

    `vocabulary` are all words of the text, which decide quickly where a run cannot be. `words` are
    those that no remaining document has, looked for where single words are listed; `odd` those of
    them that are codes and long numbers, looked for everywhere.
    """

    salt: str
    names: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()
    vocabulary: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    odd: frozenset[str] = frozenset()
    vectors: frozenset[str] = frozenset()

    def in_text(self, text: str) -> int:
        """Return how many traces there are in a text, escaped or not."""
        return max(self._in(reading) for reading in _readings(text))

    def in_words(self, text: str) -> int:
        """Return how many words of a text no remaining document has: for lists of words."""
        return sum(self.keyed(word) in self.words for word in words_of(text))

    def is_name(self, text: str) -> bool:
        """True for a text that is a uri or a file name of an erased document, whole."""
        return text in self.names or text in self.tails

    def in_vectors(self, vectors: Iterable[bytes]) -> int:
        """Return how many of these vectors, little-endian float32, are those of an erased text."""
        if not self.vectors:
            return 0
        return sum(self.keyed_bytes(vector) in self.vectors for vector in vectors)

    def keyed(self, text: str) -> str:
        """Return what stands for a run or a word here: 16 hex digits."""
        return self.keyed_bytes(text.encode("utf-8", "surrogatepass"))

    def keyed_bytes(self, data: bytes) -> str:
        """Return what stands for some bytes here: 16 hex digits."""
        return hashlib.blake2b(data, digest_size=8, key=bytes.fromhex(self.salt)).hexdigest()

    def _in(self, text: str) -> int:
        words = words_of(text)
        # Each word is looked up once: a page of a report has half a million of them.
        known = {word for word in set(words) if self.keyed(word) in self.vocabulary}
        found = sum(word in known and self.keyed(word) in self.odd for word in words if known)
        found += sum(self.keyed(run) in self.runs for run in _runs_within(words, known))
        if any(name in text for name in (*self.names, *self.tails)):
            found += len(_pattern(self.names, self.tails).findall(text))
        if self.words and "words: " in text:
            found += sum(self.in_words(quoted) for quoted in _QUOTED_WORDS.findall(text))
        return found


def traces_of(
    texts: Iterable[str],
    remaining: Iterable[str],
    *,
    names: Collection[str],
    tails: Collection[str] = (),
    vectors: Iterable[bytes],
    salt: str,
) -> Traces:
    """Return the traces of texts: what none of the remaining texts has as well.

    The remaining texts are read once and not kept.
    """
    runs: set[str] = set()
    words: set[str] = set()
    for text in texts:
        listed = words_of(text)
        words.update(listed)
        runs.update(_runs(listed))
    every = frozenset(words)
    for text in remaining:
        listed = words_of(text)
        words.difference_update(listed)
        runs.difference_update(_runs(listed))
    bare = Traces(salt, _telling(names), _telling(tails))
    telling = {word for word in words if len(word) >= _LEAST_WORD}
    return replace(
        bare,
        vocabulary=frozenset(map(bare.keyed, every)),
        runs=frozenset(map(bare.keyed, runs)),
        words=frozenset(map(bare.keyed, telling)),
        odd=frozenset(map(bare.keyed, filter(is_odd, telling))),
        vectors=frozenset(map(bare.keyed_bytes, vectors)),
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, case folded.

    >>> words_of("Grace-Period: 14 days")
    ['grace', 'period', '14', 'days']
    """
    return _WORD.findall(text.casefold())


def is_odd(word: str) -> bool:
    """True for a word that is not written by chance: a code, a long number, an identifier.

    >>> is_odd("plan7731b"), is_odd("1906"), is_odd("turbine"), is_odd("004917612345678")
    (True, False, False, True)
    """
    return len(word) >= _LEAST_ODD and any(map(str.isdigit, word))


def _telling(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(filter(_is_telling, names), key=len, reverse=True))


def _is_telling(name: str) -> bool:
    """True for a name that cannot be a plain word or number of some other text."""
    return len(name) >= _LEAST_ODD and any(mark in name for mark in "./:_-")


def _runs(words: list[str]) -> Iterator[str]:
    return (" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1))


def _runs_within(words: list[str], known: Collection[str]) -> Iterator[str]:
    """Yield the runs of which every word is known."""
    since = 0
    for at, word in enumerate(words):
        if word not in known:
            since = at + 1
        elif at - since >= RUN - 1:
            yield " ".join(words[at - RUN + 1 : at + 1])


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it stands, and without the escapes of JSON, Markdown, HTML and addresses."""
    yield text
    if not any(mark in text for mark in "\\&<%"):
        return
    loose = _ESCAPES.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)
    loose = html.unescape(loose.replace("\\", ""))
    if "<" in loose:  # what was escaped may be mark-up itself
        yield _TAG.sub(" ", loose)
    yield _PERCENT.sub(
        lambda found: bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace"), loose
    )


@lru_cache(maxsize=8)
def _pattern(names: tuple[str, ...], tails: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds a name that is no part of a longer word, nor of a path if it is a uri."""
    uris, ends = ("|".join(map(re.escape, each)) or "(?!)" for each in (names, tails))
    return re.compile(rf"(?:(?<![\w./:%~@-])(?:{uris})|(?<![\w.%~@-])(?:{ends}))(?![\w/%~@-]|\.\w)")
