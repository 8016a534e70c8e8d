"""Apply a plan: embed what is new, commit it in one go, and write down what was seen."""

import time
from collections.abc import Iterator

from retrieval.calm import remember
from retrieval.drafting import Draft
from retrieval.embedders import (
    Embedder,
    OnProgress,
    Vector,
    Vectors,
    probes,
    same_space,
    unit_length,
)
from retrieval.errors import EmbedderChangedError, EmptyCorpusError, PlanMismatchError
from retrieval.failpoints import reach
from retrieval.fan_out import FanOut
from retrieval.records import Refreshed, Snapshot
from retrieval.scan_cache import ScanCache
from retrieval.store import Index
from retrieval.vector_journal import VectorJournal

EMBED_BATCH = 128  # texts between two writes of the journal: what a kill can repeat
_LEAST_MEASURED = 32  # fewer texts say more about starting a model than about its speed


def apply_refresh(
    draft: Draft,
    index: Index,
    embedder: Embedder,
    *,
    run_id: str,
    cache: ScanCache | None = None,
    journal: VectorJournal | None = None,
    fan_out: FanOut | None = None,
    on_progress: OnProgress | None = None,
) -> Refreshed:
    """Apply a plan in one commit, embedding each new text once; on_progress counts those texts.

    With `fan_out` texts are embedded there; the commit is made here all the same.

    A plan that changes nothing returns the snapshot it was made on. Raises PlanMismatchError if
    that is no longer the newest one, and EmbedderChangedError if the embedder goes by the name
    that the index knows and makes other vectors.
    """
    started = time.perf_counter()
    plan, cache = draft.plan, cache or ScanCache(None)
    journal = journal or VectorJournal(None, draft.recipe.embedder)
    _require_base(draft, index)
    if draft.remembered is not None:
        journal.clear()  # a run that was killed after its notes may have left it
        return draft.remembered
    snapshot = plan.base if plan.changes_nothing else None
    if snapshot is None:
        snapshot = _commit(
            draft,
            index,
            embedder,
            cache=cache,
            journal=journal,
            run_id=run_id,
            fan_out=fan_out,
            on_progress=on_progress,
        )
        reach("refresh.committed")
    snapshot = index.prepare(snapshot)  # unchanged too: a killed run may not have come to it
    reach("refresh.indexed")
    index.settle(snapshot)  # unchanged too: a killed run may have committed it without syncing
    reach("refresh.settled")
    documents = index.documents(snapshot)
    refreshed = Refreshed(
        snapshot=snapshot,
        content_digest=index.content_digest(snapshot, documents),
        documents=len(documents),
        chunks=index.count(snapshot),
        embedded=plan.embedded,
        reused=plan.reused,
        seconds=time.perf_counter() - started,
    )
    _note(draft, refreshed, cache)
    reach("refresh.noted")
    journal.clear()
    reach("refresh.cleared")
    return refreshed


def _commit(
    draft: Draft,
    index: Index,
    embedder: Embedder,
    *,
    cache: ScanCache,
    journal: VectorJournal,
    run_id: str,
    fan_out: FanOut | None,
    on_progress: OnProgress | None,
) -> Snapshot:
    plan = draft.plan
    if plan.changes_nothing:
        msg = f"There is nothing to index for {plan.kb!r}."
        raise EmptyCorpusError(msg)
    known = None if plan.base is None or plan.rebuild else index.probes(plan.base)
    if plan.embedded or known is None:
        known = _same_probes(embedder, known, plan.kb)
        if fan_out is None:
            made = _embed_here(draft, embedder)
        else:
            texts = draft.spool.missing_texts(fan_out.batch_texts)
            made = fan_out.embed(texts, embedder=draft.recipe.embedder, probes=known)
        _keep(draft, made, cache, journal, on_progress)
        reach("refresh.embedded")
    reach("refresh.committing")
    return index.commit(
        draft.spool.rows(),
        base=None if plan.rebuild else plan.base,
        removed=(*plan.removed, *(move.old for move in plan.moved)),
        gone=draft.gone,
        recipe=draft.recipe,
        probes=known,
        run_id=run_id,
    )


def _same_probes(embedder: Embedder, known: Vectors | None, kb: str) -> Vectors:
    """Return the embedder's probes; raise EmbedderChangedError if they are not the known ones."""
    made = probes(embedder)
    if known is not None and not same_space(known, made):
        msg = (
            f"The embedder of {kb!r} makes other vectors than it did when the index was made, "
            "under the same name: its model was changed where it is served. Vectors of two models "
            "never mix. Serve the old model again, or set another `revision` under [embedder]: "
            "then the index is made anew, beside the one that answers."
        )
        raise EmbedderChangedError(msg)
    return made


def _embed_here(draft: Draft, embedder: Embedder) -> Iterator[dict[str, Vector]]:
    for texts in draft.spool.missing_texts(EMBED_BATCH):
        made = embedder.embed(list(texts.values()))
        vectors = unit_length(made, (len(texts), embedder.dimension))
        yield dict(zip(texts, vectors, strict=True))


def _keep(
    draft: Draft,
    made: Iterator[dict[str, Vector]],
    cache: ScanCache,
    journal: VectorJournal,
    on_progress: OnProgress | None,
) -> None:
    """Give every text of the plan its vector; each batch is journaled before the next is made."""
    began, done, total = time.perf_counter(), 0, draft.plan.embedded
    for fresh in made:
        if total > EMBED_BATCH:
            journal.keep(fresh)
        draft.spool.keep(fresh)
        done += len(fresh)
        if on_progress is not None:
            on_progress(done, total)
        reach("refresh.batch")
    if total >= _LEAST_MEASURED:
        speed = {draft.recipe.embedder: total / max(time.perf_counter() - began, 1e-3)}
        draft.scan.notes["speed"] = cache.notes("speed") | speed


def _note(draft: Draft, refreshed: Refreshed, cache: ScanCache) -> None:
    """Write down what was seen, now that the index holds it."""
    if draft.key is not None:
        draft.scan.notes["calm"] = {"": remember(draft.key, draft.plan, refreshed)}
    cache.save(draft.scan)


def _require_base(draft: Draft, index: Index) -> None:
    plan = draft.plan
    head = index.head() if plan.rebuild else index.head(draft.recipe)
    if head != plan.base:
        msg = (
            f"The plan was made on {plan.base or 'an empty index'}, but the index is at "
            f"{head or 'nothing'} now. Plan again with `driftline plan {plan.kb}`."
        )
        raise PlanMismatchError(msg)
