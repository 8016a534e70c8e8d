"""What to say where a disk is full, whichever library met it. Looks at no disk itself."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from flows.errors import FlowError, NoSpaceError
from retrieval.errors import RetrievalError
from training.errors import TrainingError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Lance tells the system's number in its text only.
_TOLD = re.compile(r"os error (\d+)")


def no_space(error: BaseException) -> NoSpaceError | None:
    """Return what a person is told if an error comes of a full disk, None if it does not.

    >>> no_space(RuntimeError("lance error: IO (os error 28)")).code
    'NO_SPACE'
    """
    at: BaseException | None = error
    while at is not None:
        if _says_full(at):
            first = (str(at).strip().splitlines() or [type(at).__name__])[0]
            msg = (
                f"The disk is full: {first[:300]}. What answered before still answers. Make room "
                "(`driftline status` says what takes it, `driftline maintain KB` frees what no "
                "release needs), then run this again: it goes on where it was."
            )
            return NoSpaceError(msg)
        at = at.__cause__
    return None


@contextmanager
def naming_a_full_disk() -> Iterator[None]:
    """Raise NoSpaceError for what a block raises because of a full disk, if it has no code yet."""
    try:
        yield
    except (FlowError, RetrievalError, TrainingError):
        raise
    except Exception as error:
        full = no_space(error)
        if full is None:
            raise
        raise full from error


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno:
        return error.errno in _FULL
    named = str(getattr(getattr(error, "orig", error), "sqlite_errorname", ""))
    if named:
        return named.startswith("SQLITE_FULL")
    told = _TOLD.search(str(error))
    return told is not None and int(told[1]) in _FULL
