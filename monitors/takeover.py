"""Documents that came between a question and its unchanged answer. Pure: no index, no model.

Who plants a text to be found for a question repeats the question, and answers it otherwise (Zou,
Geng, Wang, Jia: PoisonedRAG, 2024) or not at all (Shafran, Schuster, Shmatikov: Machine Against the
RAG, 2024). So a new text that is found before the very chunk a sentence stands in, though it lacks
the answer, took that sentence over. An honest new text that says the same holds the answer; one
that says something else is found behind.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitors.asking.probes import Probe, probe_of
from monitors.corpus import words
from monitors.facts.sentences import plain, sentences
from monitors.records import Takeover

MOST = 48
"""Questions asked at a check, so that what it costs does not follow the size of a release."""

LEAST_PROBES = 2
"""In 28 refreshes between releases of Django's, Scrapy's and SQLAlchemy's documentation,
patches and majors, no document took more than one (`docs/drift.md`)."""

LEAST_PROBES_UNTRUSTED = 1
"""A stranger's document has to leave the answers of others alone."""

LEAST_DOCUMENTS = 2
"""So many that take one and the same question: no two did in those refreshes, five planted do."""

# As what the probes are drawn from: fewer words hold no question, longer ones are tables.
_FEWEST_WORDS, _MOST_WORDS, _MOST_CHARACTERS = 7, 60, 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """A text that a search found, the document it stands in, and whether it came since."""

    uri: str
    text: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A probe, the unchanged text that it was made of, and what was found for it, best first."""

    probe: Probe
    source: str
    found: tuple[Found, ...]


def takers(asked: Asked) -> frozenset[str]:
    """Return the documents whose new text is found before the probe's own, and lacks the answer.

    None if an unchanged text was before it already: then the probe tells nothing.

    >>> probe = Probe("a.md", "The grace period is … days.", "14")
    >>> own, other = Found("a.md", "14 days", False), Found("b.md", "It is a secret", True)
    >>> takers(Asked(probe, "14 days", (other, own))), takers(Asked(probe, "14 days", (own, other)))
    (frozenset({'b.md'}), frozenset())
    """
    before = []
    for hit in asked.found:
        if hit.text == asked.source:
            break
        if not hit.fresh:
            return frozenset()
        before.append(hit)
    return frozenset(hit.uri for hit in before if not asked.probe.answered_by([hit.text]))


def takeovers(asked: Sequence[Asked], *, trusts: Mapping[str, str]) -> tuple[Takeover, ...]:
    """Return the documents that took more than honest growth explains, the worst first.

    Two questions of one text are one; `trusts` has the changed documents.
    """
    taken: defaultdict[str, set[str]] = defaultdict(set)
    origins: defaultdict[str, set[str]] = defaultdict(set)
    banded: set[str] = set()
    for each in asked:
        by = takers(each)
        if len(by) >= LEAST_DOCUMENTS:
            banded |= by
        for uri in by:
            taken[uri].add(each.source)
            origins[uri].add(each.probe.uri)
    found = (
        Takeover(uri, len(sources), tuple(sorted(origins[uri])), _untrusted(trusts, uri))
        for uri, sources in taken.items()
        if uri in banded or len(sources) >= _least(untrusted=_untrusted(trusts, uri))
    )
    return tuple(sorted(found, key=lambda takeover: (-takeover.probes, takeover.uri)))


def question_on(uri: str, text: str, near: str) -> Probe | None:
    """Make a probe of the sentence of a text that shares most words with another text.

    None if no sentence holds a question.
    """
    shared = set(words(near))

    def apart(sentence: str) -> tuple[float, bytes]:
        said = set(words(sentence))
        return -len(said & shared) / len(said), _digest(sentence)

    worthy = {sentence for sentence in sentences(plain(text)) if _is_sentence(sentence)}
    probes = (probe_of(uri, sentence) for sentence in sorted(worthy, key=apart))
    return next((probe for probe in probes if probe is not None), None)


def in_turns(texts: Sequence[tuple[str, str]], most: int = MOST) -> list[int]:
    """Return the positions of at most so many texts (uri, text), a round of documents at a time.

    Each document has one before any has a second, so that a large one hides no small one.

    >>> sorted(in_turns([("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")], most=2))[1]
    3
    """
    of_document: defaultdict[str, int] = defaultdict(int)
    rounds: list[tuple[int, bytes, int]] = []
    for at in sorted(range(len(texts)), key=lambda at: _digest(texts[at][1])):
        uri = texts[at][0]
        rounds.append((of_document[uri], _digest(uri), at))
        of_document[uri] += 1
    return [at for _, _, at in sorted(rounds)[:most]]


def _is_sentence(text: str) -> bool:
    return len(text) <= _MOST_CHARACTERS and _FEWEST_WORDS <= len(words(text)) <= _MOST_WORDS


def _untrusted(trusts: Mapping[str, str], uri: str) -> bool:
    return trusts.get(uri, "trusted") != "trusted"


def _least(*, untrusted: bool) -> int:
    return LEAST_PROBES_UNTRUSTED if untrusted else LEAST_PROBES


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
