"""Errors of the rim, and the exit status of every error code that any package raises.

FlowError
├── SettingsError       SETTINGS_INVALID
├── UnknownKbError      KB_UNKNOWN
├── BusyError           BUSY
├── LostLeaseError      LEASE_LOST
├── NoReleaseError      NO_RELEASE
├── NewerJournalError   JOURNAL_NEWER
├── JournalUnavailableError JOURNAL_UNAVAILABLE
├── JournalCorruptError JOURNAL_CORRUPT
├── ArchiveCorruptError ARCHIVE_CORRUPT
├── PromoteConflictError PROMOTE_CONFLICT
├── NoEvidenceError     NO_EVIDENCE
├── EvidenceMismatchError EVIDENCE_CHANGED
├── WithdrawnError      WITHDRAWN
├── FrozenError         FROZEN
├── ModelNotFoundError  PACKAGE_MISSING
├── NothingWholeError   NOTHING_WHOLE
├── TaintedError        TAINTED
├── NothingToForgetError NOTHING_TO_FORGET
├── ErasureIncompleteError ERASURE_INCOMPLETE
├── SubjectChangedError SUBJECT_CHANGED
├── UndeliveredError    UNDELIVERED
├── TrackingUnavailableError TRACKING_UNAVAILABLE
├── ClusterUnavailableError CLUSTER_UNAVAILABLE
├── NoSpaceError        NO_SPACE
├── PortTakenError      PORT_TAKEN
└── ServerError         SERVER_FAILED
"""

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit statuses that scripts may rely on."""

    OK = 0
    FAILED = 1
    SETTINGS = 2
    BUSY = 3
    BLOCKED = 4
    CORRUPT = 5
    PARTIAL = 6
    INTERRUPTED = 130


class FlowError(Exception):
    """Whatever the rim refuses to do, with the cure in its message."""

    code: ClassVar[str] = "FAILED"


class SettingsError(FlowError):
    """The settings cannot be read; the message lists every mistake with its place."""

    code = "SETTINGS_INVALID"


class UnknownKbError(FlowError):
    """No knowledge base of that name is in the settings."""

    code = "KB_UNKNOWN"


class BusyError(FlowError):
    """Another run holds the lease."""

    code = "BUSY"


class LostLeaseError(FlowError):
    """This run lost its lease, so it may publish nothing."""

    code = "LEASE_LOST"


class NoReleaseError(FlowError):
    """Nothing was published for this knowledge base yet, or not under that id."""

    code = "NO_RELEASE"


class NewerJournalError(FlowError):
    """The journal was written by a newer Driftline."""

    code = "JOURNAL_NEWER"


class JournalUnavailableError(FlowError):
    """The journal's database is locked, cannot be reached, or takes no writes."""

    code = "JOURNAL_UNAVAILABLE"


class JournalCorruptError(FlowError):
    """The journal cannot be read, or an entry of it is not as it was written."""

    code = "JOURNAL_CORRUPT"


class ArchiveCorruptError(FlowError):
    """An archive of evidence is not what was exported."""

    code = "ARCHIVE_CORRUPT"


class PromoteConflictError(FlowError):
    """The champion changed while its challenger was being weighed."""

    code = "PROMOTE_CONFLICT"


class NoEvidenceError(FlowError):
    """No verdict was ever given on this version, so there is nothing to approve."""

    code = "NO_EVIDENCE"


class EvidenceMismatchError(FlowError):
    """What was approved is not what would be shown now."""

    code = "EVIDENCE_CHANGED"


class WithdrawnError(FlowError):
    """A rollback took this version back; only a person may promote it again."""

    code = "WITHDRAWN"


class FrozenError(FlowError):
    """A rollback froze the knowledge base; nothing is published over it until it is resumed."""

    code = "FROZEN"


class ModelNotFoundError(FlowError):
    """A model named `package:NAME` is not an installed package that carries one."""

    code = "PACKAGE_MISSING"


class NothingWholeError(FlowError):
    """What answers is damaged, and nothing that answered before is whole."""

    code = "NOTHING_WHOLE"


class TaintedError(FlowError):
    """A version was trained on an erased document; nobody promotes it or goes back to it."""

    code = "TAINTED"


class NothingToForgetError(FlowError):
    """No version of the index ever had that document, or no document holds that text."""

    code = "NOTHING_TO_FORGET"


class ErasureIncompleteError(FlowError):
    """A place cannot be rewritten now; what was erased stays erased, and the rest waits."""

    code = "ERASURE_INCOMPLETE"


class SubjectChangedError(FlowError):
    """The documents that were accepted for erasure are not those that hold the text now."""

    code = "SUBJECT_CHANGED"


class UndeliveredError(FlowError):
    """A message, an event or a request was not taken; it waits in the outbox and is tried again."""

    code = "UNDELIVERED"


class TrackingUnavailableError(FlowError):
    """MLflow's server, or the database that it is in, cannot be reached."""

    code = "TRACKING_UNAVAILABLE"


class ClusterUnavailableError(FlowError):
    """The cluster that refreshes are spread over cannot be reached."""

    code = "CLUSTER_UNAVAILABLE"


class NoSpaceError(FlowError):
    """The disk is full; what answered before still answers."""

    code = "NO_SPACE"


class PortTakenError(FlowError):
    """A server cannot start because something else listens on its port."""

    code = "PORT_TAKEN"


class ServerError(FlowError):
    """A server that `driftline up` started did not become ready, or stopped."""

    code = "SERVER_FAILED"


# Whatever is not listed is a plain failure.
EXIT_OF_CODE = {
    "SETTINGS_INVALID": Exit.SETTINGS,
    "KB_UNKNOWN": Exit.SETTINGS,
    "PACKAGE_MISSING": Exit.SETTINGS,
    "MODEL_MISSING": Exit.SETTINGS,
    "MODEL_UNSAFE": Exit.SETTINGS,
    "EMBEDDER_MISSING": Exit.SETTINGS,
    "FULL_REBUILD_NEEDED": Exit.BLOCKED,
    "PORT_TAKEN": Exit.SETTINGS,
    "WORKER_MISMATCH": Exit.SETTINGS,
    "JOURNAL_NEWER": Exit.SETTINGS,
    "BUSY": Exit.BUSY,
    "LEASE_LOST": Exit.BUSY,
    "PROMOTE_CONFLICT": Exit.BUSY,
    "GUARD_BLOCKED": Exit.BLOCKED,
    "SRC_UNREACHABLE": Exit.BLOCKED,
    "SRC_EMPTY": Exit.BLOCKED,
    "SRC_CHANGED": Exit.BLOCKED,
    "CONTENT_COLLAPSED": Exit.BLOCKED,
    "EMPTY_CORPUS": Exit.BLOCKED,
    "MASS_DELETE_BLOCKED": Exit.BLOCKED,
    "PARTIAL_TOO_HIGH": Exit.BLOCKED,
    "PLAN_MISMATCH": Exit.BLOCKED,
    "EVIDENCE_CHANGED": Exit.BLOCKED,
    "WITHDRAWN": Exit.BLOCKED,
    "FROZEN": Exit.BLOCKED,
    "TAINTED": Exit.BLOCKED,
    "SUBJECT_CHANGED": Exit.BLOCKED,
    "NOTHING_WHOLE": Exit.CORRUPT,
    "INDEX_CORRUPT": Exit.CORRUPT,
    "JOURNAL_CORRUPT": Exit.CORRUPT,
    "ARCHIVE_CORRUPT": Exit.CORRUPT,
    "MODEL_CORRUPT": Exit.CORRUPT,
}
