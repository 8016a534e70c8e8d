"""Ask what unchanged documents answer, after a refresh: did one that changed get in between?

What is read and asked follows the change; where nothing changed since the last check, nothing is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from flows.desk import Desk
from flows.failpoints import reach
from flows.release import Release
from flows.steps import Perform
from monitors.asking.probes import Probe
from monitors.changes import change_kinds
from monitors.records import ChangeKind, Takeover
from monitors.takeover import MOST, Asked, Found, in_turns, question_on, takeovers
from retrieval.errors import (
    BadVectorsError,
    EmbedderMemoryError,
    EmbedderMissingError,
    EmbedderUnreachableError,
    SnapshotMissingError,
)
from retrieval.records import Hit, Snapshot

# Behind the changed documents' own chunks, and one another's, the unchanged ones that are near.
_NEIGHBOURS = 30
# A probe counts where its own text was first; so many may be before it now.
_DEPTH = 10
# For each changed text, so that one small document is asked about more than once.
_MOST_EACH = 6
_UNASKED = (
    BadVectorsError,
    EmbedderMemoryError,
    EmbedderMissingError,
    EmbedderUnreachableError,
    SnapshotMissingError,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Changed:
    """What came since: documents with their trust, and the texts that were not there before."""

    trusts: dict[str, str]
    fresh: pa.Table


def look_for_takeovers(desk: Desk, perform: Perform, release: Release) -> tuple[Takeover, ...]:
    """Return the documents that changed since the last check and took answers from others.

    What cannot be asked, because the earlier snapshot or the embedder is gone, is said in the log:
    an alarm that cannot be heard must not keep a check from ending.
    """
    last = desk.journal.last(desk.name, "check")
    since = release.trained_on if last is None else last.payload["current"]
    if since == release.snapshot:
        return ()
    old, new = Snapshot.parse(since), Snapshot.parse(release.snapshot)
    try:
        found = perform(
            f"Asking what else answers since {since}", lambda _: _contested(desk, old, new)
        )
    except _UNASKED as error:
        _log.warning("Nobody asked what changed documents took since %s: %s", since, error)
        return ()
    reach("monitor.contested")
    return found


def _contested(desk: Desk, old: Snapshot, new: Snapshot) -> tuple[Takeover, ...]:
    changed = _read(desk, old, new)
    if not len(changed.fresh):
        return ()
    fresh = set(changed.fresh["text"].to_pylist())
    asked = [
        Asked(
            probe,
            source,
            tuple(
                Found(hit.uri, hit.text, hit.text in fresh and _is_of(changed, hit))
                for hit in _search(desk, new, probe.question)
            ),
        )
        for probe, source in _questions(desk, new, changed)
    ]
    return takeovers(asked, trusts=changed.trusts)


def _read(desk: Desk, old: Snapshot, new: Snapshot) -> _Changed:
    """Read the changed documents; text that an edited one had before is no news."""
    before, now = desk.index.documents(old), desk.index.documents(new)
    kinds = change_kinds(
        {uri: state.digest for uri, state in before.items()},
        {uri: state.digest for uri, state in now.items()},
    )
    came = {uri: now[uri].trust for uri, kind in kinds.items() if kind in _CAME}
    edited = [uri for uri, kind in kinds.items() if kind is ChangeKind.EDITED]
    if not came:
        return _Changed({}, pa.table({}))
    known = set(desk.index.chunk_table(old, uris=edited)["normal_digest"].to_pylist())
    table = desk.index.chunk_table(new, uris=sorted(came), vectors=True)
    news = [digest not in known for digest in table["normal_digest"].to_pylist()]
    return _Changed(came, table.filter(pa.array(news, pa.bool_())))


_CAME = frozenset({ChangeKind.NEW, ChangeKind.EDITED})


def _questions(desk: Desk, new: Snapshot, changed: _Changed) -> list[tuple[Probe, str]]:
    """Return probes on unchanged texts that are near to what is fresh, each with its text."""
    uris, texts = (changed.fresh[name].to_pylist() for name in ("uri", "text"))
    turns = in_turns([*zip(uris, texts, strict=True)])
    each = max(1, min(_MOST_EACH, MOST // len(turns)))
    vectors = changed.fresh.take(turns)["vector"].combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(turns), -1)
    probes: dict[str, tuple[Probe, str]] = {}
    # lancedb, which is not loaded where nothing changed
    from retrieval.table_search import Query

    for at, vector in zip(turns, matrix, strict=True):
        hits = desk.index.search(new, Query(texts[at], vector, _NEIGHBOURS))
        made = _made(hits, texts[at], changed, set(probes))
        for probe, text in [pair for pair, _ in zip(made, range(each), strict=False)]:
            probes[probe.question] = (probe, text)
    return list(probes.values())[:MOST]


def _made(
    hits: tuple[Hit, ...], near: str, changed: _Changed, known: set[str]
) -> Iterator[tuple[Probe, str]]:
    for hit in hits:
        if _is_of(changed, hit):
            continue
        probe = question_on(hit.uri, hit.text, near)
        if probe is not None and probe.question not in known:
            yield probe, hit.text


def _is_of(changed: _Changed, hit: Hit) -> bool:
    """Tell whether a text stands in changed documents alone: a copy of an old one is no news."""
    return all(uri in changed.trusts for uri in (hit.uri, *hit.also))


def _search(desk: Desk, new: Snapshot, question: str) -> tuple[Hit, ...]:
    from retrieval.table_search import Query

    return desk.index.search(new, Query(question, desk.embedder.embed_query(question), _DEPTH))
