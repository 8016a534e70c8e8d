"""Which document became which, and which sentence became which. Linear in the text; pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitors.corpus import Corpus
from monitors.facts.reading import tokens
from monitors.facts.sentences import plain, sentences

# A document under a new uri is an old one if they share so much: what git's rename detection asks.
MOVED_SHARE = 0.5
# A sentence of more vanished documents than this is boilerplate and says nothing about origin.
_BOILERPLATE = 10
# Shorter ones, of fewer gaps between words, are a template's: ":tags: bug, orm".
_TELLING = 3

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class DocumentPair:
    """A document on both sides: its current uri, and the positions of its chunks."""

    uri: str
    was: slice
    now: slice


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and its form: without markup, case, punctuation and white space."""

    text: str
    form: str


def sentence_of(text: str) -> Sentence:
    """Return a sentence with its form.

    >>> sentence_of("The *Grace* period, ``x``!").form
    'the grace period x'
    """
    words = (token.rstrip(".,;:!?/").strip("_") for token in tokens(text) if token[0] != "`")
    return Sentence(text, " ".join(words).casefold())


def pair_documents(reference: Corpus, current: Corpus) -> list[DocumentPair]:
    """Return the documents of the same uri, then those that moved, both ordered by current uri."""
    was, now = dict(reference.documents()), dict(current.documents())
    stayed = [DocumentPair(uri, was[uri], chunks) for uri, chunks in now.items() if uri in was]
    gone = {uri: _signature(reference, was[uri]) for uri in was if uri not in now}
    if not gone:
        return stayed
    new = {uri: _signature(current, now[uri]) for uri in now if uri not in was}
    moved = _moved(gone, new)
    return stayed + [DocumentPair(uri, was[old], now[uri]) for uri, old in sorted(moved.items())]


def _signature(corpus: Corpus, chunks: slice) -> frozenset[str]:
    """Return the sentences of a document as they are whatever their numbers say."""
    found = document_sentences(corpus, chunks, frozenset())
    return frozenset(
        _DIGITS.sub("0", sentence.form)
        for sentence in found
        if sentence.form.count(" ") >= _TELLING
    )


def _moved(gone: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return new uri → old uri, the most alike first, each used once."""
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for uri, signature in gone.items():
        for form in signature:
            holders[form].append(uri)
    alike = []
    for uri, signature in new.items():
        shared = Counter(
            old
            for form in signature
            if len(holders.get(form, ())) <= _BOILERPLATE
            for old in holders.get(form, ())
        )
        for old, count in shared.items():
            share = count / max(len(signature), len(gone[old]))
            if share >= MOVED_SHARE:
                alike.append((-share, uri, old))
    moved: dict[str, str] = {}
    for _, uri, old in sorted(alike):
        if uri not in moved and old not in moved.values():
            moved[uri] = old
    return moved


def document_sentences(corpus: Corpus, chunks: slice, shared: Iterable[str]) -> list[Sentence]:
    """Return headings and sentences in reading order; a chunk in `shared` is one, unread."""
    known = Counter(shared)
    found: list[Sentence] = []
    pending: list[str] = []
    trail: tuple[str, ...] = ()
    for at in range(chunks.start, chunks.stop):
        headings, digest = corpus.headings[at], corpus.normal_digests[at]
        if headings != trail or known[digest]:
            found.extend(map(sentence_of, sentences(plain(_joined(pending)))))
            pending = []
        if headings != trail:
            found.extend(sentence_of(plain(heading)) for heading in _fresh(headings, trail))
            trail = headings
        if known[digest]:
            known[digest] -= 1
            found.append(Sentence("", f"\0{digest}"))
        else:
            pending.append(corpus.texts[at])
    found.extend(map(sentence_of, sentences(plain(_joined(pending)))))
    return [sentence for sentence in found if sentence.form]


def _fresh(headings: tuple[str, ...], trail: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that begin here, outermost first."""
    same = 0
    while same < min(len(headings), len(trail)) and headings[same] == trail[same]:
        same += 1
    return headings[same:]


def _joined(texts: Sequence[str]) -> str:
    """Join chunks: as lines where the cut seems to go through a block, else as paragraphs."""
    joined = []
    for text, following in zip(texts, [*texts[1:], ""], strict=False):
        last = text.rstrip().rpartition("\n")[2]
        first = following.lstrip("\n").partition("\n")[0]
        broken = last[-1:].isalnum() or last[-1:] == ","
        joined.append(text + ("\n" if broken and _indent(last) == _indent(first) else "\n\n"))
    return "".join(joined)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def match(
    was: Mapping[int, Hashable], now: Mapping[int, Hashable], *, even: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield the positions that have equal keys, in order; each is used once.

    With `even` set, only keys that stand as often on both sides.

    >>> list(match({0: "a", 1: "b"}, {7: "b", 8: "b"}))
    [(1, 7)]
    >>> list(match({0: "a", 1: "b"}, {7: "b", 8: "b"}, even=True))
    []
    """
    before, after = _places(was), _places(now)
    for key, places in before.items():
        others = after.get(key, [])
        if not even or len(places) == len(others):
            yield from zip(places, others, strict=False)


def _places(keys: Mapping[int, Hashable]) -> dict[Hashable, list[int]]:
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for at, key in keys.items():
        places[key].append(at)
    return places


def unmatched(was: Sequence[Sentence], now: Sequence[Sentence]) -> tuple[list[int], list[int]]:
    """Return the positions of sentences that have no equal; equals between equals go first."""
    free_was, free_now = dict(_in_context(was)), dict(_in_context(now))
    for one, other in list(match(free_was, free_now)):
        del free_was[one], free_now[other]
    forms = ({at: was[at].form for at in free_was}, {at: now[at].form for at in free_now})
    for one, other in list(match(*forms)):
        del free_was[one], free_now[other]
    return sorted(free_was), sorted(free_now)


def _in_context(sentences: Sequence[Sentence]) -> Iterator[tuple[int, tuple[str, str, str]]]:
    forms = ["", *(sentence.form for sentence in sentences), ""]
    for at in range(len(sentences)):
        yield at, (forms[at], forms[at + 1], forms[at + 2])
