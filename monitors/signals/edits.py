"""Factual edits: facts that changed inside otherwise equal sentences, as pairs "was → is".

Formula: sentences that are equal without markup, case and white space are dropped from both sides
of a document. Of the others, two are one sentence if they are equal once numbers, dates, versions,
names and negations are masked, and stand between the same neighbours or say enough to be
told by themselves. What differs under the masks is the edit. share = sentences with an edit over
all fresh sentences of documents that both sides have. An added, removed or rewritten sentence is
no edit. No embedding sees these: every number of a corpus changed moves its mean cosine by 6e-5.
Reference: none; delexicalised matching as log parsers do it, e.g. He et al., "Drain: an online log
parsing approach with fixed depth tree", ICWS 2017, applied to two versions of one text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from monitors.corpus import Corpus
from monitors.facts.alignment import (
    DocumentPair,
    document_sentences,
    pair_documents,
    unmatched,
)
from monitors.facts.reading import Entry, Reading, components, kind_of
from monitors.facts.sentence_pairs import pair_sentences
from monitors.facts.tokens import Group
from monitors.records import FactKind, FactualEdit

# No value is longer: the renderers lay them out in a table.
LONGEST = 200
# A setting and its value stand no farther apart than " = ".
_NEAR = 4

# A line of so many gaps between words that ends like a sentence is prose.
_SENTENCE = 4
_DIGEST = re.compile(r"[0-9a-f]{7,64}")
_PLURAL = re.compile(r"\w{3,}s")

# So many entries that each take their neighbour's fact are a list that moved along by one; and a
# fact of so many characters is rarely its neighbour's by accident.
_LISTED = 3

# Enough to say what changed in a whole manual; what lies beyond would cost more than it tells.
MOST_FRESH = 20_000

# What people act on first. Names last: of them most are renamed code.
_RANKS = {
    kind: rank
    for rank, kind in enumerate(
        (FactKind.NEGATION, FactKind.NUMBER, FactKind.DATE, FactKind.VERSION, FactKind.NAME)
    )
}


@dataclass(frozen=True, slots=True)
class FactualEdits:
    """Every factual edit, the most telling first.

    `share`, 0..1, is that of the fresh sentences of changed documents that only changed a fact;
    `count` is `len(edits)`; `fresh` counts the sentences that have no equal in the reference. No
    document is begun after MOST_FRESH of them, so beyond that `count` is a lower bound.
    """

    share: float
    count: int
    fresh: int
    edits: tuple[FactualEdit, ...]


_Exchange = tuple[int, Counter[str], Counter[str]]
"""The position of an entry, what it said that it says no more, and what it says instead."""


def measure(reference: Corpus, current: Corpus) -> FactualEdits:
    """Compare the changed documents of two snapshots; nothing to compare is share 0.

    >>> def corpus(text):
    ...     return Corpus(("a.md",), (text,), ((),), (text,), (text,))
    >>> edits = measure(corpus("It expires after 30 days."), corpus("It expires after 14 days."))
    >>> [(edit.kind.value, edit.was, edit.now) for edit in edits.edits]
    [('number', '30 days', '14 days')]
    """
    found: list[FactualEdit] = []
    fresh = edited = 0
    for pair in pair_documents(reference, current):
        if fresh >= MOST_FRESH:
            break
        new, pairs = _changed(reference, current, pair)
        fresh += new
        for was, now in pairs:
            edits = list(_edits(pair.uri, was, now))
            edited += bool(edits)
            found.extend(edits)
    return FactualEdits(edited / fresh if fresh else 0.0, len(found), fresh, _ordered(found))


def _ordered(edits: Sequence[FactualEdit]) -> tuple[FactualEdit, ...]:
    """Return prose before code, each change once before its repetitions; else as they stand."""
    seen: Counter[tuple[FactKind, str, str]] = Counter()
    ranked = []
    for at, edit in enumerate(edits):
        change = (edit.kind, edit.was, edit.now)
        seen[change] += 1
        place = (seen[change] > 1, _is_digest(edit), _RANKS[edit.kind], not _is_prose(edit), at)
        ranked.append((place, edit))
    return tuple(edit for _, edit in sorted(ranked, key=lambda entry: entry[0]))


def _is_digest(edit: FactualEdit) -> bool:
    """Tell whether what changed is a hash, of a commit or a file: nobody acts on one."""
    return _DIGEST.fullmatch(edit.now) is not None and not edit.now.isdigit()


def _is_prose(edit: FactualEdit) -> bool:
    return (
        edit.sentence_now[-1:] in {".", "!", "?", ":", "…"}
        and edit.sentence_now.count(" ") >= _SENTENCE
    )


def _changed(
    reference: Corpus, current: Corpus, pair: DocumentPair
) -> tuple[int, list[tuple[Reading, Reading]]]:
    """Return how many sentences are fresh, and the pairs of those that differ in facts."""
    shared = Counter(reference.normal_digests[pair.was]) & Counter(current.normal_digests[pair.now])
    was = document_sentences(reference, pair.was, shared.elements())
    now = document_sentences(current, pair.now, shared.elements())
    lost, fresh = unmatched(was, now)
    if not lost or not fresh:
        return len(fresh), []
    return len(fresh), pair_sentences(was, now, lost, fresh)


def _edits(uri: str, was: Reading, now: Reading) -> Iterator[FactualEdit]:
    """Yield what differs between two sentences whose rows are equal, in reading order."""
    for at, lost, came in _exchanges(was, now):
        kind = kind_of(now, at)
        places = [_fact(reading, at, kind, says) for reading, says in ((was, lost), (now, came))]
        yield _edit(uri, kind, (was, places[0]), (now, places[1]))
    for at in _turned(was, now):
        yield _edit(uri, FactKind.NEGATION, (was, _around(was, at)), (now, _around(now, at)))


def _exchanges(was: Reading, now: Reading) -> list[_Exchange]:
    """Return which entries say another fact; none where a list only moved along."""
    entries = list(enumerate(zip(was.entries, now.entries, strict=True)))
    exchanges = [
        (at, lost, came)
        for at, (one, other) in entries
        for lost, came in (_exchanged(one, other),)
        if lost and came
    ]
    known, stays = _said(was.entries), _said(now.entries)
    moved = {
        at
        for at, (one, other) in entries
        if (_said([one]) - _said([other])) & stays or (_said([other]) - _said([one])) & known
    }
    if known.total() != stays.total():
        return [exchange for exchange in exchanges if exchange[0] not in moved]
    along = sum(at in moved for at, _, _ in exchanges)
    return [] if len(exchanges) >= _LISTED and 2 * along > len(exchanges) else exchanges


def _said(entries: Iterable[Entry]) -> Counter[str]:
    """Return the facts told, without those so short that two are equal by accident."""
    return Counter(
        item.token.canon
        for entry in entries
        if entry.key in {"#", "@"}
        for item in entry.items
        if len(item.token.canon) >= _LISTED
    )


def _exchanged(was: Entry, now: Entry) -> tuple[Counter[str], Counter[str]]:
    """Return what facts went and came; in a list that only grew or shrank one of them is empty."""
    if was.items[0].token.group is Group.WORD:
        return Counter(), Counter()
    one, other = components(was), components(now)
    lost, came = one - other, other - one
    if was.key == "#" or not (lost and came):
        return lost, came
    return _strange(lost, came), _strange(came, lost)


def _strange(names: Counter[str], others: Counter[str]) -> Counter[str]:
    """Leave out names that are others' with a path before them: a link says it either way."""
    return Counter(
        {name: count for name, count in names.items() if not _is_qualified(name, others)}
    )


def _is_qualified(name: str, others: Iterable[str]) -> bool:
    return any(
        f".{name}".endswith(f".{other}") or f".{other}".endswith(f".{name}") for other in others
    )


def _fact(reading: Reading, at: int, kind: FactKind, says: Counter[str]) -> slice:
    """Return where the fact stands, with what it counts or belongs to."""
    entries, items, text = reading.entries, reading.entries[at].items, reading.text
    if kind is FactKind.NAME:
        items = tuple(item for item in items if item.token.canon in says) or items
    start, end = items[0].start, items[-1].end
    if kind in {FactKind.NUMBER, FactKind.VERSION} and at:
        before = entries[at - 1].items[-1]
        named = before.token.group in {Group.NAME, Group.PROPER}
        start = before.start if named and _is_near(text[before.end : start]) else start
    if kind is FactKind.NUMBER and at + 1 < len(entries):
        after = entries[at + 1].items[0]
        counted = after.token.group is Group.WORD and _PLURAL.fullmatch(after.token.canon)
        end = after.end if counted and text[end : after.start] == " " else end
    return slice(start, end)


def _is_near(gap: str) -> bool:
    """Tell whether only " = " or ": " stands between a setting and its value."""
    return len(gap) < _NEAR and not gap.strip(" =:")


def _turned(was: Reading, now: Reading) -> list[int]:
    """Return the entries before which one side has a negation too many; none if it has as many.

    A negation that begins or lacks at the beginning of a torn sentence may stand in the one before.
    """
    one, other = (Counter(at for at, _ in reading.polarity) for reading in (was, now))
    if one.total() == other.total():
        return []
    longer, turned = (was, one - other) if one.total() > other.total() else (now, other - one)
    torn = not (was.text[0].isupper() and now.text[0].isupper())
    if torn and longer.polarity[0][1].start < _NEAR:
        turned.pop(0, None)
    return sorted(turned)


def _around(reading: Reading, at: int) -> slice:
    """Return the words on both sides of a place, with what stands between them."""
    end = reading.entries[min(at, len(reading.entries) - 1)].items[0].end
    marks = [item for place, item in reading.polarity if place == at]
    start = reading.entries[at - 1].items[-1].start if at else 0
    return slice(start, max([end, *(mark.end for mark in marks)]))


def _edit(
    uri: str, kind: FactKind, was: tuple[Reading, slice], now: tuple[Reading, slice]
) -> FactualEdit:
    (one, at_was), (other, at_now) = was, now
    return FactualEdit(
        uri=uri,
        kind=kind,
        was=_cut(one.text[at_was], slice(0, 0)),
        now=_cut(other.text[at_now], slice(0, 0)),
        sentence_was=_cut(one.text, at_was),
        sentence_now=_cut(other.text, at_now),
    )


def _cut(text: str, keep: slice) -> str:
    """Return the text, or as much of it around `keep` as fits; what is left out is an ellipsis."""
    if len(text) <= LONGEST:
        return text
    start = max(0, min(keep.start - LONGEST // 2, len(text) - LONGEST))
    stop = start + LONGEST
    inner = text[start + (start > 0) : stop - (stop < len(text))]
    return f"{'…' if start else ''}{inner}{'…' if stop < len(text) else ''}"
