"""Which documents have a text in them, in any version: the list an erasure is about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from flows.desk import Desk
from flows.erasing.plan import tables
from flows.errors import NothingToForgetError, SubjectChangedError
from retrieval.records import Snapshot
from retrieval.table_erasure import said_in

_DIGITS = 6
"""How much of a digest is enough, as for a plan."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """The documents with a text in them, by uri, sorted; `digest` names text and list."""

    uris: tuple[str, ...]
    digest: str


def documents_with(desk: Desk, text: str) -> Subjects:
    """Return the documents that have a text in them, in whatever version, as it is stored.

    Case and white space do not count, whole words do. A text that is cut in two by the end of a
    chunk is found in the document as a whole. Raises NothingToForgetError.
    """
    wanted = pattern(text)
    stored = (row for table in tables(desk).values() for row in said_in(table))
    rows = chain(stored, _whole(desk))
    uris = {uri for uri, said in rows if wanted.search(said) or wanted.search(uri)}
    if not uris:
        msg = (
            f"No version of the index of {desk.name!r} has a document with that text in it, so "
            "nothing was erased. It is looked for word by word, whatever its case."
        )
        raise NothingToForgetError(msg)
    listed = tuple(sorted(uris))
    named = "\0".join([text.casefold(), *listed])
    return Subjects(listed, hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest())


def _whole(desk: Desk) -> Iterator[tuple[str, str]]:
    """Yield uri and text of each document that answers now, its chunks put together."""
    table = desk.index.chunk_table(Snapshot.parse(desk.release().release.snapshot))
    pairs = zip(table.column("uri").to_pylist(), table.column("text").to_pylist(), strict=True)
    for uri, chunks in groupby(pairs, key=lambda pair: pair[0]):
        yield uri, "\n".join(text for _, text in chunks)


def accepted(found: Subjects, digest: str) -> tuple[str, ...]:
    """Return the documents if the digest, or six digits or more of it, names this very list."""
    digits = digest.strip().lower()
    if len(digits) >= _DIGITS and found.digest.startswith(digits):
        return found.uris
    msg = (
        f"{digest!r} is not the list of documents that have this text in them now; there are "
        f"{len(found.uris):,}. Nothing was erased. Run it without --accept to see them."
    )
    raise SubjectChangedError(msg)


def pattern(text: str) -> re.Pattern[str]:
    """Return what finds a text as whole words, whatever its case and white space.

    >>> [bool(pattern("Ada  Lovelace").search(said)) for said in ("by ADA lovelace.", "Adam")]
    [True, False]
    """
    if not text.strip():
        msg = "Nothing was erased: the text to look for is empty."
        raise NothingToForgetError(msg)
    words = r"\s+".join(map(re.escape, text.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
