"""What an erasure is about: which documents, under which names, with which bytes; and what remains.

Read from the index' files and the journal, before anything is written. Kept in one file until the
erasure is done, so that a killed one goes on although the index has no trace any more.
"""

from __future__ import annotations

import difflib
import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from flows.desk import Desk
from flows.errors import NothingToForgetError
from flows.journal.journal import Journal
from retrieval.records import DocumentState, Snapshot
from retrieval.table_erasure import documents_in, tables_in, texts_in
from retrieval.table_rows import document_key
from retrieval.traces import Traces, traces_of
from training.files import write_whole
from training.records import DocumentVersion

_DIGESTS = ("vocabulary", "runs", "words", "odd", "vectors")
_NEAR = 3  # names that are offered for one that is not there


@dataclass(frozen=True, slots=True)
class Subject:
    """The documents that an erasure is about.

    `asked` is what was named, `now` the names they have by now and the copies of the same bytes,
    `ever` every name they had, moves followed; `contents` are the digests of all their bytes.
    """

    asked: tuple[str, ...]
    now: tuple[str, ...]
    ever: tuple[str, ...]
    contents: tuple[str, ...]

    def erased(self, document: DocumentVersion) -> bool:
        """True for a version of one of them, under any of its names."""
        return document.uri in self.ever or document.digest in self.contents

    def within(self, documents: Mapping[str, DocumentState], *, newest: bool) -> frozenset[str]:
        """Return the uris that go from a snapshot, given its documents.

        In the `newest` one a name that they gave up may be another document's by now.
        """
        names = self.now if newest else self.ever
        return frozenset(
            uri for uri, state in documents.items() if uri in names or state.digest in self.contents
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Every uri that is a trace of them."""
        return tuple(sorted({*self.ever, *self.now}))


@dataclass(frozen=True, slots=True)
class Work:
    """An erasure that was begun: what it is about, what to look for, and how far the index is.

    `chunks` counts rows in all versions. `held` are the published snapshots that go, `moved` says
    which snapshot took the place of a reference, `tainted` which model versions know the text.
    """

    id: str
    actor: str
    why: str
    began: datetime
    subject: Subject
    traces: Traces
    chunks: int
    held: tuple[str, ...] = ()
    moved: dict[str, str] = field(default_factory=dict)
    tainted: tuple[int, ...] = ()


def tables(desk: Desk) -> dict[int, Path]:
    """Return the folder of each table of the index, by generation, oldest first."""
    return tables_in(index_folder(desk), desk.name)


def index_folder(desk: Desk) -> Path:
    """Return where all knowledge bases have their tables."""
    return desk.settings.home_folder / "index"


def file_of(desk: Desk) -> Path:
    """Return where an erasure is kept while it is under way."""
    return desk.folder / "erasures" / "under-way.json"


def read_work(desk: Desk) -> Work | None:
    """Return the erasure that was begun and not finished, None if there is none."""
    try:
        told = json.loads(file_of(desk).read_bytes())
    except FileNotFoundError:
        return None
    subject = {name: tuple(values) for name, values in told.pop("subject").items()}
    traces = told.pop("traces")
    digests = {name: frozenset(traces[name]) for name in _DIGESTS}
    names, tails = tuple(traces["names"]), tuple(traces["tails"])
    lists = {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
    return Work(
        **{
            **told,
            **lists,
            "began": datetime.fromisoformat(told["began"]),
            "subject": Subject(**subject),
            "traces": Traces(traces["salt"], names, tails, **digests),
        }
    )


def keep_work(desk: Desk, work: Work) -> None:
    """Write an erasure down; it is there after a power cut, readable by its owner alone."""
    file = file_of(desk)
    file.parent.mkdir(parents=True, exist_ok=True)
    told = json.dumps(asdict(work), default=_plain)
    write_whole(file, told.encode())
    file.chmod(0o600)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def subject_of(desk: Desk, uris: Sequence[str]) -> Subject:
    """Return the documents that these uris name, by all names and bytes that they ever had.

    Raises NothingToForgetError for a uri that no version of the index ever had.
    """
    stored = _stored(desk)
    moves = _moves(desk.journal, desk.name)
    names = {uri for uri, _ in stored}
    for uri in uris:
        if uri not in names and not any(uri in move for move in moves):
            raise NothingToForgetError(_unknown(desk, uri, names))
    later = _closure(uris, moves, forward=True)
    ever = _closure(later, moves, forward=False)
    contents = {digest for uri, digest in stored if uri in ever and digest}
    copies = {uri for uri, digest in _standing(desk) if digest in contents}
    return Subject(
        asked=tuple(sorted(uris)),
        now=tuple(sorted({*later, *copies})),
        ever=tuple(sorted(ever)),
        contents=tuple(sorted(contents)),
    )


def begin(desk: Desk, subject: Subject, *, named: str, actor: str, why: str) -> Work:
    """Return an erasure with the traces of its documents; what remains is read once."""
    keys = {document_key(uri) for uri in subject.ever}
    held = [row for table in tables(desk).values() for row in texts_in(table, keys)]
    remaining = list(_remaining(desk, subject))
    own = {row.digest for row in held} - {digest for _, digest, _ in remaining}
    traces = traces_of(
        (row.said for row in held),
        (said for _, _, said in remaining),
        names=subject.names,
        tails=_file_names(subject.names, {uri for uri, _, _ in remaining}),
        vectors={row.vector for row in held if row.digest in own},
        salt=secrets.token_hex(16),
    )
    return Work(named, actor, why, desk.now, subject, traces, len(held))


def _stored(desk: Desk) -> set[tuple[str, str | None]]:
    return {
        (uri, digest) for table in tables(desk).values() for _, uri, digest in documents_in(table)
    }


def _standing(desk: Desk) -> Iterator[tuple[str, str]]:
    """Yield uri and digest of what answers now."""
    snapshot = Snapshot.parse(desk.release().release.snapshot)
    for uri, state in desk.index.documents(snapshot).items():
        yield uri, state.digest


def _remaining(desk: Desk, subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Yield uri, text digest and text of what stays: of what answers, and of its reference."""
    release = desk.release().release
    columns = ("uri", "digest", "title", "headings", "text")
    for name in dict.fromkeys((release.snapshot, release.trained_on)):
        snapshot = Snapshot.parse(name)
        if not desk.index.holds(snapshot):
            continue
        newest = name == release.snapshot
        gone = subject.within(desk.index.documents(snapshot), newest=newest)
        table = desk.index.chunk_table(snapshot).select(list(columns))
        for uri, digest, title, headings, text in zip(
            *(table.column(column).to_pylist() for column in columns), strict=True
        ):
            if uri not in gone:
                yield uri, digest, "\n".join([title, *headings, text])


def _file_names(uris: Iterable[str], others: Iterable[str]) -> set[str]:
    """Return what runs are named after: the last part of a uri that no other document shares."""
    shared = {PurePosixPath(uri).name for uri in others}
    return {PurePosixPath(uri).name for uri in uris} - shared


def _moves(journal: Journal, kb: str) -> tuple[tuple[str, str], ...]:
    """Return every move that a refresh saw, old name and new, the oldest first."""
    return tuple(
        (move["old"], move["new"])
        for entry in journal.entries(kb, "refresh")
        for move in entry.payload["moved"]
    )


def _closure(
    uris: Iterable[str], moves: Sequence[tuple[str, str]], *, forward: bool
) -> tuple[str, ...]:
    """Return names with those they were moved to later, or with those they had before."""
    found = dict.fromkeys(uris)
    for old, new in moves if forward else reversed(moves):
        if (old if forward else new) in found:
            found[new if forward else old] = None
    return tuple(found)


def _unknown(desk: Desk, uri: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(uri, names, _NEAR)
    meant = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
    return (
        f"No version of the index of {desk.name!r} has a document {uri!r}, so nothing was "
        f"erased.{meant} `driftline search {desk.name} TEXT` shows the uris of documents."
    )
