"""What a worker does with a batch: documents in, chunks out; texts in, vectors out.

A worker knows no index, no source and no secret but its embedder's. What it says about itself, its
embedder's fingerprint above all, stands in each answer, for whoever commits them to compare.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.cutting import Parse, cutter, cutting_of
from retrieval.embedders import PROBE_TEXTS, Embedder
from retrieval.errors import DocumentRefusedError
from retrieval.fan_out_files import Batch, Job, read_batch, write_batch
from retrieval.reading import Cut
from retrieval.records import Body, Chunk


@dataclass(frozen=True, slots=True)
class Tools:
    """What batches are worked off with. `parse_document` keeps the limits on hostile documents."""

    embedder: Embedder
    parse_document: Parse


def work_off(job: Job, tools: Tools) -> str:
    """Work off one batch, write its answer and return the receipt; repeating it does no harm."""
    asked = read_batch(Path(job.file))
    facts = {"embedder": tools.embedder.fingerprint}
    if job.kind == "cut":
        facts["cutting"] = cutting_of(job.max_tokens)
        cut = cutter(tools.parse_document, tools.embedder, job.max_tokens)
        return write_batch(job.answer, Batch([_cut(cut, row) for row in asked.rows], facts))
    rows = [{"vector": made} for made in _embed(tools.embedder, asked)]
    return write_batch(job.answer, Batch(rows, facts))


def _embed(embedder: Embedder, asked: Batch) -> list[bytes]:
    """Return the vectors of the probes, which tell one model from another, then of the texts.

    As the embedder made them: whoever commits checks and scales them, once, as its own.
    """
    texts = [*PROBE_TEXTS, *(row["text"] for row in asked.rows)]
    return [vector.tobytes() for vector in embedder.embed(texts)]


def _cut(cut: Cut, row: dict[str, Any]) -> dict[str, Any]:
    body = Body(row["data"], media_type=row["media_type"])
    try:
        cutting = cut(row["uri"], body, "")
    except DocumentRefusedError as error:
        return _answer(code=error.reason_code.value, reason=error.reason)
    return _answer(
        title=cutting.chunks[0].title,
        media_type=cutting.chunks[0].media_type,
        flags=[flag.value for flag in cutting.flags],
        neutralised=cutting.neutralised,
        chunks=[_chunk(chunk) for chunk in cutting.chunks],
    )


def _answer(**told: Any) -> dict[str, Any]:
    """Return a row with every column, so that each batch has the same."""
    names = ("code", "reason", "title", "media_type", "flags", "neutralised", "chunks")
    return dict.fromkeys(names) | told


def _chunk(chunk: Chunk) -> dict[str, Any]:
    """Return what is the chunk's own; the rest is its document's."""
    return {
        "id": chunk.id,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "digest": chunk.digest,
    }
