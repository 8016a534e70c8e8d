"""Say in words which documents are behind the drift. Pure; every uri is made safe to print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from monitors.records import DocumentDrift

# Documents with nine tenths of it are the whole story; otherwise the first three are told.
_WHOLE_STORY = 0.9
_TOLD = 3
_MOST = 0.5


def describe(drifted: tuple[DocumentDrift, ...]) -> str:
    """Say in half a sentence which documents carry the unseen text, largest share first.

    >>> from monitors.records import ChangeKind
    >>> describe((DocumentDrift("news.md", 0.6, ChangeKind.EDITED),
    ...           DocumentDrift("api/new.md", 0.35, ChangeKind.NEW),
    ...           DocumentDrift("api/old.md", 0.05, ChangeKind.EDITED)))
    '2 of 3 documents carry 95 %: news.md 60 % and api/new.md 35 %'
    """
    carriers = [document for document in drifted if document.share > 0]
    if not carriers:
        return "no document"
    if len(carriers) == 1:
        return f"all of it in {printable(carriers[0].uri)}"
    told = _told(carriers)
    share = percent(sum(document.share for document in told))
    named = listed([f"{printable(document.uri)} {percent(document.share)}" for document in told])
    if len(told) == 1:
        head = f"1 of {len(carriers):,} documents carries {share}: {printable(told[0].uri)}"
    elif len(told) == len(carriers):
        head = f"{len(told)} documents carry all of it: {named}"
    else:
        head = f"{len(told)} of {len(carriers):,} documents carry {share}: {named}"
    return head + _where(carriers, told)


def listed(names: Sequence[str]) -> str:
    """Join names as people do.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def percent(share: float) -> str:
    """Write a share for people.

    >>> percent(0.7), percent(0.004)
    ('70 %', '0.4 %')
    """
    return f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else f"{share * 100:.1f} %"  # noqa: PLR2004 - one percent


def printable(uri: str) -> str:
    r"""Escape what would disturb a terminal or a log: control, bidi, undecodable characters.

    >>> printable("a\n\u202eb.md")
    'a\\n\\u202eb.md'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in uri)


def _told(carriers: list[DocumentDrift]) -> list[DocumentDrift]:
    """Return the first documents, until they are the whole story or enough."""
    told: list[DocumentDrift] = []
    while len(told) < min(_TOLD, len(carriers)):
        told.append(carriers[len(told)])
        if sum(document.share for document in told) >= _WHOLE_STORY:
            break
    return told


def _where(carriers: list[DocumentDrift], told: list[DocumentDrift]) -> str:
    """Name the folder that holds more than half, if one does and the names told do not say so."""
    shares: defaultdict[str, float] = defaultdict(float)
    for document in carriers:
        shares[_folder(document)] += document.share
    folder, share = max(shares.items(), key=lambda item: item[1])
    said = share <= sum(each.share for each in told if _folder(each) == folder)
    return "" if said or not folder or share <= _MOST else (
        f"; {percent(share)} is under {printable(folder)}/"
    )  # fmt: skip


def _folder(document: DocumentDrift) -> str:
    return document.uri.rpartition("/")[0]
