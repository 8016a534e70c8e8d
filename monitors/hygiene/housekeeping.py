"""Changes that are no knowledge: formatting, moves, copies, encoding faults, folders in or out.

They are named, and left out of every signal. What is not surely one of them is left to be
measured: a document with one changed number is never excused. Costs follow the change: documents
are compared by what their sides do not share, and the plainest questions come first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from monitors.corpus import Corpus, words
from monitors.hygiene.folders import Folders, whole_folders
from monitors.hygiene.formatting import (
    Passage,
    changed_markup,
    full_text,
    left_over,
    passages,
    same_but_for_numbers,
    same_in_other_flavour,
    same_in_other_markup,
)
from monitors.hygiene.markup import same_tokens
from monitors.hygiene.mojibake import same_but_for_encoding
from monitors.pair import Pair
from monitors.records import ChangeKind, Housekeeping, HousekeepingKind

_Documents = dict[str, list[Passage]]

# A folder most of whose text the other side holds was renamed or split, and edited on the way.
_MOSTLY = 0.5

_SAID = {
    HousekeepingKind.FORMATTING: "set another way, with the same words",
    HousekeepingKind.MOVED: "the same text under another name",
    HousekeepingKind.DUPLICATED: "copies, made or taken away, of text that both sides hold",
    HousekeepingKind.ENCODING: "read in another encoding, and the same where nothing was damaged",
    HousekeepingKind.FOLDER_ADDED: "in folders that were taken in as a whole",
    HousekeepingKind.FOLDER_LOST: "in folders that are gone as a whole",
}


def find_housekeeping(pair: Pair, *, folders: Folders | None = None) -> tuple[Housekeeping, ...]:
    """Name the documents whose change is no reason to retrain, each by one kind.

    A document that got another name stands there by both. Nothing is said of documents that
    changed in any other way. Folders are judged only where all of both sides are known.
    """
    found = _Found()
    for uri, kind in pair.kinds.items():
        if kind is ChangeKind.MOVED:
            found.kinds[uri] = HousekeepingKind.MOVED
    old, new = _documents(pair.reference), _documents(pair.current)
    for uri in old.keys() & new.keys():
        found.name(_same_document(old[uri], new[uri]), uri)
    _find_known(pair, old, new, found)
    _find_renamed(_unnamed(old, new, found), _unnamed(new, old, found), found)
    _find_kept(pair, _unnamed(old, new, found), new, found)
    if folders is not None:
        _find_folders(pair, folders, found)
    return found.told()


@dataclass(slots=True)
class _Found:
    """What was named so far."""

    kinds: dict[str, HousekeepingKind] = field(default_factory=dict)

    def name(self, kind: HousekeepingKind | None, *uris: str) -> None:
        if kind is not None:
            self.kinds.update(dict.fromkeys(uris, kind))

    def told(self) -> tuple[Housekeeping, ...]:
        """Return what was found by kind, in the order of the kinds."""
        by_kind: defaultdict[HousekeepingKind, list[str]] = defaultdict(list)
        for uri, kind in sorted(self.kinds.items()):
            by_kind[kind].append(uri)
        return tuple(
            Housekeeping(kind, tuple(by_kind[kind]), _reason(kind, len(by_kind[kind])))
            for kind in HousekeepingKind
            if kind in by_kind
        )


def _same_document(one: list[Passage], other: list[Passage]) -> HousekeepingKind | None:
    """Say why two versions of a document say the same, or None if they do not."""
    left = left_over(one, other)
    if same_tokens(*left):
        return HousekeepingKind.FORMATTING
    if not (left[0].isascii() and left[1].isascii()) and same_but_for_encoding(*left):
        return HousekeepingKind.ENCODING
    if changed_markup(*left):
        same = same_in_other_markup(full_text(one), full_text(other))
    else:
        # Most edits change a word of what is left over, and need no reading of the whole.
        same = same_but_for_numbers(*left) and same_in_other_flavour(
            full_text(one), full_text(other)
        )
    return HousekeepingKind.FORMATTING if same else None


def _find_known(pair: Pair, old: _Documents, new: _Documents, found: _Found) -> None:
    """Name documents that came though every text of theirs stood in the reference.

    Not those that only got another ending: they were converted, which is seen by both names.
    """
    origins = {passage.digest for uri in old.keys() - new.keys() for passage in old[uri]}
    gone = {_path(uri): {each.digest for each in old[uri]} for uri in old.keys() - new.keys()}
    for uri in new.keys() - old.keys():
        held = {passage.digest for passage in new[uri]}
        if held <= pair.reference_digests and held != gone.get(_path(uri)):
            moved = held <= origins
            found.name(HousekeepingKind.MOVED if moved else HousekeepingKind.DUPLICATED, uri)


def _find_kept(pair: Pair, gone: _Documents, new: _Documents, found: _Found) -> None:
    """Name documents that went though every text of theirs still stands somewhere."""
    moved = {passage.digest for uri, kind in found.kinds.items()
             if kind is HousekeepingKind.MOVED for passage in new.get(uri, ())}  # fmt: skip
    for uri, document in gone.items():
        held = {passage.digest for passage in document}
        if held <= pair.current_digests:
            kind = HousekeepingKind.MOVED if held <= moved else HousekeepingKind.DUPLICATED
            found.name(kind, uri)


def _find_renamed(gone: _Documents, came: _Documents, found: _Found) -> None:
    """Name documents that got another name and another look but say the same."""
    for before, now in _likely_pairs(gone, came):
        kind = _same_renamed(before, now, full_text(gone[before]), full_text(came[now]))
        found.name(kind, before, now)


def _same_renamed(before: str, now: str, one: str, other: str) -> HousekeepingKind | None:
    converted = PurePosixPath(before).suffix != PurePosixPath(now).suffix
    if same_tokens(one, other):
        return HousekeepingKind.FORMATTING if converted else HousekeepingKind.MOVED
    if same_but_for_encoding(one, other):
        return HousekeepingKind.ENCODING
    other_markup = converted or changed_markup(one, other)
    if other_markup:
        same = same_in_other_markup(one, other)
    else:
        same = same_but_for_numbers(one, other) and same_in_other_flavour(one, other)
    return HousekeepingKind.FORMATTING if same else None


def _likely_pairs(gone: _Documents, came: _Documents) -> list[tuple[str, str]]:
    """Pair documents that came with those that they may have been, each one once.

    The same path but for its ending comes first. Then words vote that stand in one document only
    on either side: one vote a word, so the time is linear.
    """
    paths = {_path(uri): uri for uri in gone}
    same = ((paths.get(_path(now)), now) for now in came)
    pairs = {before: now for before, now in same if before is not None}
    owner, votes = _only_in(gone), Counter[tuple[str, str]]()
    for word, now in _only_in(came).items():
        if word in owner:
            votes[owner[word], now] += 1
    taken = set(pairs.values())
    for before, now in sorted(votes, key=lambda pair: (-votes[pair], pair)):
        if before not in pairs and now not in taken:
            pairs[before] = now
            taken.add(now)
    return list(pairs.items())


def _path(uri: str) -> str:
    """Return a document's path without its ending."""
    return str(PurePosixPath(uri).with_suffix(""))


def _only_in(documents: _Documents) -> dict[str, str]:
    """Return the words that stand in one document only, with its uri."""
    owners: dict[str, str | None] = {}
    for uri, document in documents.items():
        for word in {word for passage in document for word in words(passage.text)}:
            owners[word] = None if word in owners else uri
    return {word: uri for word, uri in owners.items() if uri is not None}


def _find_folders(pair: Pair, folders: Folders, found: _Found) -> None:
    """Name what came or went with a whole folder, if most of its text stands nowhere else."""
    for wanted, kind, corpus, known, others, documents in (
        (ChangeKind.NEW, HousekeepingKind.FOLDER_ADDED, pair.current, pair.reference_digests,
         folders.reference, pair.current_documents),
        (ChangeKind.REMOVED, HousekeepingKind.FOLDER_LOST, pair.reference, pair.current_digests,
         folders.current, pair.reference_documents),
    ):  # fmt: skip
        left = [uri for uri, is_ in pair.kinds.items() if is_ is wanted and uri not in found.kinds]
        whole = whole_folders(left, others, documents=documents)
        held = [corpus.normal_digests[at] in known for at, uri in enumerate(corpus.uris)
                if uri in whole]  # fmt: skip
        if whole and sum(held) < _MOSTLY * len(held):
            found.name(kind, *whole)


def _documents(corpus: Corpus) -> _Documents:
    return {uri: list(passages(corpus, chunks)) for uri, chunks in corpus.documents()}


def _unnamed(documents: _Documents, others: _Documents, found: _Found) -> _Documents:
    """Return the documents of one side only that have no name yet."""
    left = documents.keys() - others.keys() - found.kinds.keys()
    return {uri: documents[uri] for uri in sorted(left)}


def _reason(kind: HousekeepingKind, count: int) -> str:
    return f"{count:,} {'document' if count == 1 else 'documents'}: {_SAID[kind]}"
