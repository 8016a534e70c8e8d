r"""What in a sentence is a fact, and what the sentence says apart from its facts. Pure.

A sentence is read as a row of entries. Words stand for themselves; numbers, dates and versions
hold a place (#); what turns a statement round (not, no, never) holds none, so that a sentence and
its negation are the same row; names stand for themselves in one row and hold a place (@) in
another.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitors.facts.fact_words import (
    CHOICES,
    DOUBTFUL_MONTHS,
    MONTH_NUMBERS,
    MONTHS,
    VERSIONED,
)
from monitors.facts.tokens import NUMBER, VERSION, Group, Token, choice, token_of
from monitors.records import FactKind

_TOKEN = re.compile(
    r"`++|(?i:https?|ftp)://[^\s<>`\"'()\[\]{}|]++"
    r"|(?:(?<![\w)\]])[-+](?=\d)|[$€£¥](?=\d))?+\w++"
    r"(?:(?:[-.@/'&]|::|(?<=\d)[,:](?=\d))(?=\w)\w++)*+%?+|%"
)
# A name made of more characters than this is compared by its beginning; none is so long.
_LONGEST_TOKEN = 300


# How a row writes a place that names hold; no token reads like this.
_NAME = "@"
# Between the parts of a date or a list of versions stands no more than ", ".
_LONGEST_GAP = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A token where it stands: `text[start:end]` of its sentence."""

    token: Token
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a row: a word, or neighbouring facts of one group."""

    key: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as entries. `polarity` is (position of the entry that follows, item).

    `words` counts the entries that say something by themselves.
    """

    text: str
    entries: tuple[Entry, ...]
    polarity: tuple[tuple[int, Item], ...]
    words: int

    @property
    def key(self) -> tuple[str, ...]:
        """The row that sentences share which differ in facts only."""
        return tuple(entry.key for entry in self.entries)


_DATE = re.compile(
    r"\d{4}-\d\d?(?:-\d\d?)?(?:t\d.*)?|\d\d?[/.]\d\d?[/.]\d{4}|\d\d?/\d\d?/\d\d|\d{4}/\d\d?(?:/\d\d?)?"
    r"|\d\d?:\d\d(?::\d\d)?"
)
_YEAR = re.compile(r"(?:19|20)\d\d(?:-(?:19|20)?\d\d)?")
_DOTTED = re.compile(r"\d+\.\d+")
_HOST = re.compile(r"\d+(?:\.\d+){3}(?::\d+)?")
_DATE_PARTS = re.compile(r"\d+|[a-z]+")


def tokens(sentence: str) -> list[str]:
    """Return the tokens of a sentence as written; runs of backticks are tokens."""
    return _TOKEN.findall(sentence)


def read(sentence: str) -> Reading:
    """Read a sentence; names stand for themselves.

    >>> read("It does not wait 30 days.").key == read("It waits 2 h.").key
    True
    """
    entries: list[Entry] = []
    polarity: list[tuple[int, Item]] = []
    for item in _items(sentence):
        token = item.token
        if token.group is Group.POLARITY:
            polarity.append((len(entries), item))
        elif token.group is Group.SILENT:
            continue
        elif token.group is not Group.NUMBER:
            entries.append(Entry(token.key, (item,)))
        elif entries and entries[-1].key == NUMBER and _continues(entries[-1], item, sentence):
            entries[-1] = Entry(NUMBER, (*entries[-1].items, item))
        else:
            entries.append(Entry(NUMBER, (item,)))
    words = sum(entry.key != NUMBER for entry in entries)
    return Reading(sentence, tuple(entries), tuple(polarity), words)


def mask(reading: Reading) -> Reading:
    """Return the reading with names that only hold a place, neighbours in one.

    >>> mask(read("Set ``a_b``, ``c`` to 5.")).key
    ('set', '@', 'to', '#')
    """
    entries: list[Entry] = []
    places = []
    for entry in reading.entries:
        places.append(len(entries))
        if not is_name(entry):
            entries.append(entry)
        elif entries and entries[-1].key == _NAME:
            entries[-1] = Entry(_NAME, entries[-1].items + entry.items)
        else:
            entries.append(Entry(_NAME, entry.items))
    places.append(len(entries))
    words = sum(entry.key not in {NUMBER, _NAME} for entry in entries)
    polarity = tuple((places[at], item) for at, item in reading.polarity)
    return Reading(reading.text, tuple(entries), polarity, words)


def is_name(entry: Entry) -> bool:
    """Tell whether an entry holds names."""
    group = entry.items[0].token.group
    return group is Group.NAME or group is Group.PROPER


def _continues(entry: Entry, item: Item, sentence: str) -> bool:
    """Tell whether a number goes on with those before it: a date's day, the next of a list."""
    gap = sentence[entry.items[-1].end : item.start]
    return len(gap) <= _LONGEST_GAP and not gap.strip(" ,-/:")


def kind_of(reading: Reading, position: int) -> FactKind:
    """Return the kind of the facts in one entry of a sentence."""
    items = reading.entries[position].items
    if items[0].token.group is Group.CHOICE:
        return FactKind.NEGATION
    if items[0].token.group is not Group.NUMBER:
        return FactKind.NAME
    canons = [item.token.canon for item in items]
    if any(canon in MONTHS or _DATE.fullmatch(canon) for canon in canons):
        return FactKind.DATE
    before = reading.entries[position - 1].items[-1].token if position else None
    return _kind_of_numbers(canons, before)


def _kind_of_numbers(canons: Sequence[str], before: Token | None) -> FactKind:
    first = canons[0]
    if _HOST.fullmatch(first):
        return FactKind.NAME
    if len(canons) == 1 and _YEAR.fullmatch(first):
        return FactKind.DATE
    named = before is not None and (
        before.key in VERSIONED or before.group in {Group.NAME, Group.PROPER}
    )
    if VERSION.match(first) or (named and _DOTTED.match(first)):
        return FactKind.VERSION
    return FactKind.NUMBER


def components(entry: Entry) -> Counter[str]:
    """Return what the facts of an entry say, so that a date says the same however it is written.

    >>> one, other = (read(date).entries[0] for date in ("May 2, 2016", "2016-05-02"))
    >>> components(one) == components(other)
    True
    """
    canons = [item.token.canon for item in entry.items]
    if not any(canon in MONTHS or _DATE.fullmatch(canon) for canon in canons):
        return Counter(canons)
    return Counter(
        MONTH_NUMBERS.get(part[:3], part.lstrip("0") or "0")
        for canon in canons
        for part in _DATE_PARTS.findall(canon)
    )


def _items(sentence: str) -> list[Item]:
    """Return the items of a sentence, told apart by where they stand."""
    found: list[Item] = []
    code = False
    for match in _TOKEN.finditer(sentence):
        written = match.group()
        if written[0] == "`":
            code = not code
            continue
        for token in token_of(written[:_LONGEST_TOKEN]):
            group, placed = token.group, token
            if code or group is Group.UNIT or group is Group.PROPER:
                placed = _in_place(token, found[-1].token if found else None, code=code)
            found.append(Item(placed, match.start(), match.end()))
    return _dated(found)


def _in_place(token: Token, before: Token | None, *, code: bool) -> Token:
    """Return the token as what it is here: units follow numbers, names stand in code."""
    if token.group is Group.UNIT and before is not None and before.group is Group.NUMBER:
        return Token(Group.NUMBER, token.key, token.canon)
    if code and token.group in {Group.WORD, Group.PROPER, Group.UNIT}:
        return Token(Group.NAME, token.key, token.canon)
    if token.group is Group.UNIT or (token.group is Group.PROPER and before is None):
        return Token(Group.WORD, token.key, token.canon)
    return token


def _dated(items: list[Item]) -> list[Item]:
    """Return the items with months as part of the numbers beside them."""
    for at, item in enumerate(items):
        token = item.token
        if token.group is not Group.MONTH:
            continue
        beside = (other.token.group for other in items[max(0, at - 1) : at + 2])
        if token.canon not in DOUBTFUL_MONTHS or Group.NUMBER in beside:
            token = Token(Group.NUMBER, token.key, token.canon)
        elif token.canon in CHOICES:
            token = choice(token.canon)
        else:
            token = Token(Group.WORD, token.key, token.canon)
        items[at] = Item(token, item.start, item.end)
    return items
