"""Say in words which documents are behind the drift. Pure; every uri is made safe to print."""

from __future__ import annotations

from collections import defaultdict

from monitors.records import DocumentDrift

# One document with nine tenths of it is the whole story; otherwise the first three are told.
_WHOLE_STORY = 0.9
_TOLD = 3
_MOST = 0.5


def describe(drifted: tuple[DocumentDrift, ...]) -> str:
    """Say in half a sentence which documents carry the unseen text, largest share first.

    >>> from monitors.records import ChangeKind
    >>> describe((DocumentDrift("news.md", 0.7, ChangeKind.EDITED),
    ...           DocumentDrift("api/new.md", 0.3, ChangeKind.NEW)))
    '2 documents, of which news.md carries 70 %, api/new.md 30 %'
    """
    carriers = [document for document in drifted if document.share > 0]
    if not carriers:
        return "no document"
    told = carriers[: 1 if carriers[0].share > _WHOLE_STORY else _TOLD]
    shares = [f"{printable(document.uri)} {percent(document.share)}" for document in told]
    named = ", ".join(shares).replace(" ", " carries ", 1)
    if len(carriers) == 1:
        return f"all of it in {printable(carriers[0].uri)}"
    return f"{len(carriers)} documents, of which {named}{_where(carriers)}"


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


def _where(carriers: list[DocumentDrift]) -> str:
    """Name the folder that holds more than half of the unseen text, if one does."""
    shares: defaultdict[str, float] = defaultdict(float)
    for document in carriers:
        shares[document.uri.rpartition("/")[0]] += document.share
    folder, share = max(shares.items(), key=lambda item: item[1])
    return f"; {percent(share)} is under {printable(folder)}/" if folder and share > _MOST else ""
