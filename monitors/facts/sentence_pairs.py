"""Which sentence became which, where the two differ in facts only. Linear in the text; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from monitors.facts.alignment import Sentence, match
from monitors.facts.reading import Entry, Reading, is_name, mask, read
from monitors.facts.tokens import Group

# Words that a sentence needs, besides its facts, to be recognised away from its neighbours: three
# are a setting or a signature, and where names are masked as well five are a statement.
_TELLING = 3
_TELLING_WITHOUT_NAMES = 5
# A changed stretch of a sentence is a name if it is no longer than this: "San Francisco Bay".
_LONGEST_NAME = 4


@dataclass(frozen=True, slots=True)
class _Rest:
    """The sentences of one side of a document that have no equal on the other, by position.

    `before` and `after` are what their neighbours say, facts masked.
    """

    exact: dict[int, Reading]
    masked: dict[int, Reading]
    before: dict[int, Hashable]
    after: dict[int, Hashable]

    def drop(self, at: int) -> None:
        """Forget a sentence that has found its counterpart."""
        for column in (self.exact, self.masked, self.before, self.after):
            del column[at]


# What has to be equal of a sentence in which names of other length or looks came: its place, its
# beginning or its end, of as many entries as make an accident unlikely.
_PARTS = {"": slice(0), "head": slice(4), "tail": slice(-4, None)}


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of finding a counterpart. `reading` says what of the sentence must be equal."""

    reading: str
    beside: tuple[str, ...]
    words: int = 0
    even: bool = False

    def keys(self, rest: _Rest) -> dict[int, Hashable]:
        """Return the key of every sentence that has one, by position."""
        places = [rest.before if side == "before" else rest.after for side in self.beside]
        part = _PARTS.get(self.reading, slice(None))
        readings = rest.masked if self.reading == "masked" else rest.exact
        return {
            at: (reading.key[part], *(place[at] for place in places))
            for at, reading in readings.items()
            if reading.words >= self.words
        }


def pair_sentences(
    was: Sequence[Sentence], now: Sequence[Sentence], lost: Sequence[int], fresh: Sequence[int]
) -> list[tuple[Reading, Reading]]:
    """Return the lost and fresh sentences, by position, that are one but for facts.

    Both readings of a pair have the same row; in the order of the fresh ones.
    """
    pairs = sorted(_paired(_rest(was, lost), _rest(now, fresh)), key=lambda found: found[0])
    return [(one, other) for _, one, other in pairs]


def _rest(sentences: Sequence[Sentence], positions: Sequence[int]) -> _Rest:
    exact = {at: read(sentences[at].text) for at in positions}
    masked = {at: mask(reading) for at, reading in exact.items()}

    def said(at: int) -> Hashable:
        if not 0 <= at < len(sentences):
            return None
        if at not in masked:
            return sentences[at].form
        return masked[at].key if masked[at].words > 1 else exact[at].key

    before = {at: said(at - 1) for at in positions}
    return _Rest(exact, masked, before, {at: said(at + 1) for at in positions})


def _paired(old: _Rest, new: _Rest) -> Iterator[tuple[int, Reading, Reading]]:
    """Yield position and readings of sentences that are one but for facts, surest first."""
    for way in _WAYS:
        for one, other in list(match(way.keys(old), way.keys(new), even=way.even)):
            readings = _readings(old, new, one, other)
            if readings:
                yield other, *readings
                old.drop(one)
                new.drop(other)


def _readings(old: _Rest, new: _Rest, one: int, other: int) -> tuple[Reading, Reading] | None:
    """Return two sentences read alike, None if more than facts tells them apart."""
    for was, now in ((old.exact[one], new.exact[other]), (old.masked[one], new.masked[other])):
        if was.key == now.key:
            return was, now
    return _renamed(old.exact[one], new.exact[other])


# How a sentence finds its counterpart, surest first: the reading that must be equal, the
# neighbours that must be, how many words it takes, and whether it stands as often on both sides.
_WAYS: tuple[_Way, ...] = (
    _Way("exact", ("before", "after")),
    _Way("exact", ("before",), words=1),
    _Way("exact", ("after",), words=1),
    _Way("exact", (), words=_TELLING, even=True),
    _Way("masked", ("before", "after")),
    _Way("masked", ("before",), words=2),
    _Way("masked", ("after",), words=2),
    _Way("masked", (), words=_TELLING_WITHOUT_NAMES, even=True),
    _Way("", ("before", "after"), even=True),
    _Way("head", (), words=_TELLING, even=True),
    _Way("tail", (), words=_TELLING, even=True),
)


def _renamed(was: Reading, now: Reading) -> tuple[Reading, Reading] | None:
    """Return both with the one stretch in which they differ as a name, None if it is none."""
    one, other = was.entries, now.entries
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at].key != other[at].key), shorter)
    tail = 0
    while tail < shorter - head and one[-1 - tail].key == other[-1 - tail].key:
        tail += 1
    stretches = [entries[head : len(entries) - tail] for entries in (one, other)]
    if head + tail < _TELLING or not all(map(_is_name, stretches)):
        return None
    joined = [_as_one(reading, head, len(reading.entries) - tail) for reading in (was, now)]
    return joined[0], joined[1]


def _is_name(entries: tuple[Entry, ...]) -> bool:
    """Tell whether a stretch is a name; "None" and "max" are ones where another came for them."""
    return 0 < len(entries) <= _LONGEST_NAME and all(
        is_name(entry) or entry.items[0].token.group is Group.CHOICE for entry in entries
    )


def _as_one(reading: Reading, start: int, stop: int) -> Reading:
    items = tuple(item for entry in reading.entries[start:stop] for item in entry.items)
    entries = (*reading.entries[:start], Entry("@", items), *reading.entries[stop:])
    polarity = tuple(
        (at - (stop - start - 1) if at >= stop else at, item) for at, item in reading.polarity
    )
    return Reading(reading.text, entries, polarity, reading.words)
