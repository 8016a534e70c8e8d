"""Bring an index in step with a source: plan what changed, then apply exactly that plan."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from retrieval.chunking import chunk_document
from retrieval.embedding import Embedder, OnProgress, Vector, unit_length
from retrieval.errors import (
    DocumentRefusedError,
    EmbedderChangedError,
    EmptyCorpusError,
    PlanMismatchError,
)
from retrieval.parsing import digest_of, parse
from retrieval.planning import compare_documents, plan_digest
from retrieval.records import (
    Chunk,
    Completeness,
    Entry,
    Listing,
    Refreshed,
    RefreshPlan,
    Refusal,
    Snapshot,
)
from retrieval.sources import Source
from retrieval.store import Index


@dataclass
class _Reading:
    """What a source held: the digest of each document, and the chunks of those that changed."""

    completeness: Completeness
    refused: list[Refusal]
    digests: dict[str, str] = field(default_factory=dict)
    chunks: dict[str, tuple[Chunk, ...]] = field(default_factory=dict)


def plan_refresh(
    source: Source,
    index: Index,
    embedder: Embedder,
    *,
    max_tokens: int | None = None,
    trust: str = "trusted",
    on_progress: OnProgress | None = None,
) -> RefreshPlan:
    """Return what a refresh would change; writes nothing.

    Every document is read and hashed; only a changed one is parsed and cut into chunks of
    `max_tokens`, by default and at most the embedder's window. Raises SourceUnreachableError, and
    EmbedderChangedError if the index was made by another embedder.
    """
    size = min(max_tokens or embedder.max_tokens, embedder.max_tokens)

    def cut(entry: Entry, data: bytes) -> tuple[Chunk, ...]:
        document = parse(entry.uri, data, modified_at=entry.modified_at, trust=trust)
        return chunk_document(document, embedder.count_tokens, max_tokens=size)

    _require_same_embedder(index, embedder)
    base = index.head()
    before = index.documents(base)
    reading = _read(source, source.list_documents(), before, cut, on_progress)
    known = index.known_digests(base) if reading.chunks else frozenset()
    return _plan(index.kb, base, before, reading, known)


def apply_refresh(
    plan: RefreshPlan,
    index: Index,
    embedder: Embedder,
    *,
    run_id: str,
    on_progress: OnProgress | None = None,
) -> Refreshed:
    """Apply a plan in one commit, embedding each new text once; on_progress counts those texts.

    A plan that changes nothing returns the snapshot it was made on. Raises PlanMismatchError if
    that is no longer the newest one.
    """
    started = time.perf_counter()
    _require_base(plan, index)
    snapshot = plan.base if plan.changes_nothing else None
    if snapshot is None:
        snapshot = _commit(plan, index, embedder, run_id, on_progress)
    index.settle()  # unchanged too: a killed run may have committed this snapshot without syncing
    return Refreshed(
        snapshot=snapshot,
        content_digest=index.content_digest(snapshot),
        documents=len(index.documents(snapshot)),
        chunks=index.count(snapshot),
        embedded=plan.embedded,
        reused=plan.reused,
        seconds=time.perf_counter() - started,
    )


def _read(
    source: Source,
    listing: Listing,
    before: Mapping[str, str],
    cut: Callable[[Entry, bytes], tuple[Chunk, ...]],
    on_progress: OnProgress | None,
) -> _Reading:
    reading = _Reading(listing.completeness, list(listing.refused))
    for done, entry in enumerate(listing.entries, 1):
        try:
            body = source.read(entry)
            if body is None:
                continue
            digest = digest_of(body.data)
            if before.get(entry.uri) != digest:
                reading.chunks[entry.uri] = cut(entry, body.data)
            reading.digests[entry.uri] = digest
        except DocumentRefusedError as error:
            reading.refused.append(Refusal(entry.uri, error.reason_code, error.reason))
        if on_progress is not None:
            on_progress(done, len(listing.entries))
    return reading


def _plan(
    kb: str,
    base: Snapshot | None,
    before: Mapping[str, str],
    reading: _Reading,
    known: frozenset[str],
) -> RefreshPlan:
    refused = tuple(sorted(reading.refused, key=lambda refusal: refusal.uri))
    changes = compare_documents(
        before,
        reading.digests,
        refused=refused,
        complete=reading.completeness is Completeness.COMPLETE,
    )
    chunks = tuple(chunk for uri in sorted(reading.chunks) for chunk in reading.chunks[uri])
    return RefreshPlan(
        kb=kb,
        base=base,
        added=changes.added,
        edited=changes.edited,
        moved=changes.moved,
        removed=changes.removed,
        kept=changes.kept,
        unchanged=changes.unchanged,
        documents_before=len(before),
        refused=refused,
        chunks=chunks,
        to_embed=frozenset(chunk.digest for chunk in chunks) - known,
        completeness=reading.completeness,
        digest=plan_digest(base, changes, reading.digests, refused),
    )


def _commit(
    plan: RefreshPlan,
    index: Index,
    embedder: Embedder,
    run_id: str,
    on_progress: OnProgress | None,
) -> Snapshot:
    if plan.changes_nothing:
        msg = f"There is nothing to index for {plan.kb!r}."
        raise EmptyCorpusError(msg)
    return index.commit(
        plan.chunks,
        _vectors(plan, index, embedder, on_progress),
        replaced=(*plan.edited, *plan.removed, *(move.old for move in plan.moved)),
        embedder_fingerprint=embedder.fingerprint,
        run_id=run_id,
    )


def _vectors(
    plan: RefreshPlan, index: Index, embedder: Embedder, on_progress: OnProgress | None
) -> dict[str, Vector]:
    """Return a vector for every text of the plan: of the index where it has one, else made."""
    texts = {chunk.digest: chunk.embedded_text for chunk in plan.chunks}
    missing = sorted(plan.to_embed)
    vectors = index.vectors_for(plan.base, texts.keys() - plan.to_embed)
    if missing:
        made = embedder.embed([texts[digest] for digest in missing], on_progress=on_progress)
        checked = unit_length(made, (len(missing), embedder.dimension))
        vectors.update(zip(missing, checked, strict=True))
    return vectors


def _require_same_embedder(index: Index, embedder: Embedder) -> None:
    made_by = index.embedder_fingerprint()
    if made_by is not None and made_by != embedder.fingerprint:
        msg = (
            f"The index of {index.kb!r} was made by embedder {made_by[:12]}; the settings name "
            f"{embedder.fingerprint[:12]}. Vectors of two embedders never mix: go back to the "
            "model it was made with, or build the index anew under another name."
        )
        raise EmbedderChangedError(msg)


def _require_base(plan: RefreshPlan, index: Index) -> None:
    if (head := index.head()) != plan.base:
        msg = (
            f"The plan was made on {plan.base or 'an empty index'}, but the index is at "
            f"{head or 'nothing'} now. Plan again with `driftline plan {plan.kb}`."
        )
        raise PlanMismatchError(msg)
