"""Parsing and embedding spread over workers, in batches; plan, guards and commit stay in one place.

Documents are read here, once and by their source's rules, and travel as files on storage that
every worker sees. Knows no engine: who works the batches off is handed in.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from retrieval.embedders import PROBE_TEXTS, Vector, Vectors, same_space, unit_length
from retrieval.errors import DocumentRefusedError, WorkerMismatchError, WorkersLostError
from retrieval.fan_out_files import Batch, Job, read_batch, write_batch
from retrieval.fan_out_worker import Tools, work_off
from retrieval.reading import CutAway, Cutting, Fresh
from retrieval.records import Chunk, Flag, Recipe, RefusalCode

# About a second of parsing and cutting each, against some milliseconds to hand one over.
BATCH_BYTES = 2_000_000
BATCH_DOCUMENTS = 200
BATCH_TEXTS = 512  # ten seconds to one minute of a CPU, half a second of a GPU
ATTEMPTS = 3
_SURROUNDINGS = "Give every worker the same Driftline, settings and models, then run it again."


class Spread(Protocol):
    """Works off batches somewhere: a bounded number at once, receipts in the order of the jobs."""

    def work_off(self, jobs: Iterator[Job]) -> Iterator[str]:
        """Yield the receipt of each job; takes the next ones as there is room for them.

        Raises WorkersLostError for a batch that no worker can be had for.
        """
        ...


class WorkerError(Exception):
    """Whoever had the batch is gone, or failed for a reason of its surroundings."""


class Handed(Protocol):
    """A batch that a worker has."""

    def receipt(self) -> str:
        """Wait for it; raise WorkerError, or the batch's own RetrievalError."""
        ...


class Workers(Protocol):
    """Processes, here or elsewhere, that take batches."""

    @property
    def at_once(self) -> int:
        """How many batches are worth handing over at the same time."""
        ...

    def hand_over(self, job: Job) -> Handed:
        """Give a batch to whoever is free."""
        ...


@dataclass(frozen=True)
class Here:
    """Works off every batch in this process, one after the other."""

    tools: Tools

    def work_off(self, jobs: Iterator[Job]) -> Iterator[str]:
        """Yield the receipt of each job."""
        return (work_off(job, self.tools) for job in jobs)


@dataclass(frozen=True)
class OverWorkers:
    """Hands batches to workers; does a single one right here, where no worker has to be woken.

    A batch whose worker is lost is handed over again, `attempts` times in all.
    """

    workers: Workers
    here: Here
    attempts: int = ATTEMPTS

    def work_off(self, jobs: Iterator[Job]) -> Iterator[str]:
        """Yield the receipt of each job."""
        first = list(islice(jobs, 2))
        if len(first) < 2:  # noqa: PLR2004 one batch is no work for a team
            return self.here.work_off(iter(first))
        return self._hand_out(chain(first, jobs))

    def _hand_out(self, jobs: Iterable[Job]) -> Iterator[str]:
        waiting: deque[tuple[Job, Handed]] = deque()
        for job in jobs:
            waiting.append((job, self.workers.hand_over(job)))
            if len(waiting) >= self.workers.at_once:
                yield self._receipt(*waiting.popleft())
        while waiting:
            yield self._receipt(*waiting.popleft())

    def _receipt(self, job: Job, handed: Handed) -> str:
        for left in reversed(range(self.attempts)):
            try:
                return handed.receipt()
            except WorkerError as error:
                if not left:
                    raise _lost(job, self.attempts, error) from error
                handed = self.workers.hand_over(job)
        raise ValueError(self.attempts)


def _lost(job: Job, attempts: int, error: WorkerError) -> WorkersLostError:
    msg = (
        f"A batch to {job.kind} was lost {attempts} times, the last time because {error}. The old "
        "release keeps answering and vectors that were made are kept. See that the workers run, "
        f"have memory, and see {Path(job.file).parent} as this machine does, then run it again."
    )
    return WorkersLostError(msg)


@dataclass(frozen=True)
class FanOut:
    """Cuts documents and embeds texts over a spread; `folder` is where batches lie meanwhile.

    Each batch's files are gone once its answer was taken.
    """

    spread: Spread
    folder: Path
    batch_bytes: int = BATCH_BYTES
    batch_documents: int = BATCH_DOCUMENTS
    batch_texts: int = BATCH_TEXTS
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    def cutting(self, recipe: Recipe, max_tokens: int) -> CutAway:
        """Return what parses and cuts documents there. Raises WorkerMismatchError on the way."""
        return partial(self._cut, recipe, max_tokens)

    def embed(
        self, texts: Iterator[Mapping[str, str]], *, embedder: str, probes: Vectors
    ) -> Iterator[dict[str, Vector]]:
        """Yield the vectors of each batch of texts, by the same keys.

        Every worker proves with each batch that it is this embedder, by its fingerprint and by
        the vectors of the probes. Raises WorkerMismatchError.
        """
        sent: deque[tuple[Job, list[str]]] = deque()

        def jobs() -> Iterator[Job]:
            for batch in texts:
                job = self._job("embed", [{"text": text} for text in batch.values()])
                sent.append((job, list(batch)))
                yield job

        for receipt in self.spread.work_off(jobs()):
            job, keys = sent.popleft()
            answer = _answer_of(job, receipt)
            _require_same(answer.facts, {"embedder": embedder})
            told, made = _vectors(answer, len(keys), probes.shape[1])
            if not same_space(probes, told):
                msg = f"A worker's embedder makes other vectors than this one's. {_SURROUNDINGS}"
                raise WorkerMismatchError(msg)
            yield dict(zip(keys, made, strict=True))

    def _cut(
        self, recipe: Recipe, max_tokens: int, documents: Iterator[Fresh]
    ) -> Iterator[tuple[Fresh, Cutting | DocumentRefusedError]]:
        sent: deque[tuple[Job, list[Fresh]]] = deque()

        def jobs() -> Iterator[Job]:
            for batch in self._batches(documents):
                job = self._job("cut", [_row_of(fresh) for fresh in batch], max_tokens)
                # Their bytes are on the storage now.
                sent.append((job, [replace(f, body=replace(f.body, data=b"")) for f in batch]))
                yield job

        for receipt in self.spread.work_off(jobs()):
            job, batch = sent.popleft()
            answer = _answer_of(job, receipt)
            _require_same(answer.facts, {"embedder": recipe.embedder, "cutting": recipe.cutting})
            for fresh, row in zip(batch, answer.rows, strict=True):
                yield fresh, _outcome(fresh, row)

    def _batches(self, documents: Iterator[Fresh]) -> Iterator[list[Fresh]]:
        batch: list[Fresh] = []
        held = 0
        for fresh in documents:
            batch.append(fresh)
            held += len(fresh.body.data)
            if held >= self.batch_bytes or len(batch) >= self.batch_documents:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def _job(self, kind: Any, rows: Sequence[dict[str, Any]], max_tokens: int = 0) -> Job:
        file = self.folder / f"{kind}-{next(self._numbers):06}"
        write_batch(file, Batch(rows))
        return Job(kind, str(file), max_tokens)


def _answer_of(job: Job, receipt: str) -> Batch:
    """Take a worker's answer off the storage; raise WorkersLostError if it is not there whole."""
    try:
        answer = read_batch(job.answer, receipt)
    except OSError as error:
        msg = (
            f"A worker's answer cannot be read here: {error}. See that "
            f"{Path(job.file).parent} is the same storage for this machine and for every worker, "
            "then run it again."
        )
        raise WorkersLostError(msg) from error
    job.answer.unlink(missing_ok=True)
    Path(job.file).unlink(missing_ok=True)
    return answer


def _require_same(told: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    words = {"embedder": "has another embedder", "cutting": "cuts documents another way"}
    for name, value in wanted.items():
        if told.get(name) != value:
            found = str(told.get(name))
            msg = (
                f"A worker {words[name]} than this machine, {found[:12]} and not {value[:12]}; "
                f"what two of them make never mixes. {_SURROUNDINGS}"
            )
            raise WorkerMismatchError(msg)


def _vectors(answer: Batch, count: int, dimension: int) -> tuple[Vectors, Vectors]:
    """Return the worker's probes and the vectors asked for."""
    rows = [np.frombuffer(row["vector"], dtype=np.float32) for row in answer.rows]
    made = unit_length(np.stack(rows), (len(PROBE_TEXTS) + count, dimension))
    return made[: len(PROBE_TEXTS)], made[len(PROBE_TEXTS) :]


def _row_of(fresh: Fresh) -> dict[str, Any]:
    return {"uri": fresh.uri, "data": fresh.body.data, "media_type": fresh.body.media_type}


def _outcome(fresh: Fresh, row: Mapping[str, Any]) -> Cutting | DocumentRefusedError:
    if row["code"] is not None:
        return DocumentRefusedError(RefusalCode(row["code"]), row["reason"])
    flags = tuple(map(Flag, row["flags"]))
    chunks = [
        Chunk(
            id=told["id"],
            uri=fresh.uri,
            ordinal=ordinal,
            title=row["title"],
            headings=tuple(told["headings"]),
            text=told["text"],
            digest=told["digest"],
            document_digest=fresh.digest,
            media_type=row["media_type"],
            modified_at=fresh.body.modified_at,
            trust=fresh.feed.trust,
            flags=flags,
        )
        for ordinal, told in enumerate(row["chunks"])
    ]
    return Cutting(tuple(chunks), flags, row["neutralised"])
