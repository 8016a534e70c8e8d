"""Errors of retrieval that callers catch by name. Each carries a stable code.

RetrievalError
├── SourceUnreachableError   SRC_UNREACHABLE
├── GuardError               a refresh was stopped before it wrote anything
│   ├── EmptyCorpusError     EMPTY_CORPUS
│   ├── SourceEmptyError     SRC_EMPTY
│   ├── SourceChangedError   SRC_CHANGED
│   ├── ContentCollapsedError CONTENT_COLLAPSED
│   ├── MassDeleteError      MASS_DELETE_BLOCKED
│   ├── TooManyRefusedError  PARTIAL_TOO_HIGH
│   └── PlanMismatchError    PLAN_MISMATCH
├── DocumentRefusedError     DOC_… (one document; the rest goes on)
├── EmbedderMissingError     EMBEDDER_MISSING
├── EmbedderChangedError     FULL_REBUILD_NEEDED
├── EmbedderUnreachableError EMBEDDER_UNREACHABLE
├── EmbedderMemoryError      EMBED_OOM
├── BadVectorsError          EMBED_BAD
├── WorkerMismatchError      WORKER_MISMATCH
├── WorkersLostError         WORKERS_LOST
├── SnapshotMissingError     SNAPSHOT_MISSING
├── IndexUnwritableError     INDEX_UNWRITABLE
└── IndexCorruptError        INDEX_CORRUPT
"""

from typing import ClassVar

from retrieval.records import RefusalCode


class RetrievalError(Exception):
    """Whatever retrieval refuses to do, with the cure in its message."""

    code: ClassVar[str] = "RETRIEVAL_FAILED"


class SourceUnreachableError(RetrievalError):
    """The source cannot be listed at all: a missing folder, an unmounted disk."""

    code = "SRC_UNREACHABLE"


class GuardError(RetrievalError):
    """A refresh was stopped before it wrote anything; the old release keeps answering."""

    code = "GUARD_BLOCKED"


class EmptyCorpusError(GuardError):
    """There is nothing to index, and nothing was indexed before."""

    code = "EMPTY_CORPUS"


class SourceEmptyError(GuardError):
    """The source lists nothing although the index holds documents."""

    code = "SRC_EMPTY"


class SourceChangedError(GuardError):
    """The source is another place than at the last refresh, and most documents are strange."""

    code = "SRC_CHANGED"


class ContentCollapsedError(GuardError):
    """Many edited documents now hold the same text, as when a login page answers for all."""

    code = "CONTENT_COLLAPSED"


class MassDeleteError(GuardError):
    """The plan removes more documents than the limit allows without a person's word."""

    code = "MASS_DELETE_BLOCKED"


class TooManyRefusedError(GuardError):
    """So many documents were refused that the source itself looks broken."""

    code = "PARTIAL_TOO_HIGH"


class PlanMismatchError(GuardError):
    """The plan that a person accepted is not the plan that would be applied."""

    code = "PLAN_MISMATCH"


class DocumentRefusedError(RetrievalError):
    """One document cannot be taken in; `reason_code` says why."""

    code = "DOC_REFUSED"

    def __init__(self, reason_code: RefusalCode, reason: str) -> None:
        super().__init__(reason)
        self.reason_code = reason_code
        self.reason = reason


class EmbedderMissingError(RetrievalError):
    """The embedding model is not installed or not where the settings say."""

    code = "EMBEDDER_MISSING"


class EmbedderChangedError(RetrievalError):
    """The index was built by another embedder; vectors of two embedders never mix."""

    code = "FULL_REBUILD_NEEDED"


class EmbedderUnreachableError(RetrievalError):
    """The embedding endpoint does not answer, or answers with errors only."""

    code = "EMBEDDER_UNREACHABLE"


class EmbedderMemoryError(RetrievalError):
    """Not even one text at a time fits into memory."""

    code = "EMBED_OOM"


class BadVectorsError(RetrievalError):
    """The embedder returned vectors of a wrong count, width or value."""

    code = "EMBED_BAD"


class WorkerMismatchError(RetrievalError):
    """A worker has another embedder, or cuts documents another way, than whoever commits."""

    code = "WORKER_MISMATCH"


class WorkersLostError(RetrievalError):
    """A batch was lost again and again: workers die, or do not see the same storage."""

    code = "WORKERS_LOST"


class SnapshotMissingError(RetrievalError):
    """The asked version is not in the index."""

    code = "SNAPSHOT_MISSING"


class IndexUnwritableError(RetrievalError):
    """The folder of the index cannot be written: a read-only disk, another user's folder."""

    code = "INDEX_UNWRITABLE"


class IndexCorruptError(RetrievalError):
    """The index on disk cannot be read."""

    code = "INDEX_CORRUPT"
