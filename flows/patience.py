"""Trying a step again that failed for a reason that passes: a locked database, a lost connection.

Steps of a scheduled run are retried by Prefect; this is for runs on the command line. Which errors
pass is decided here alone: a full or read-only disk does not, and nothing that we refuse does.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import TypeVar

from flows.errors import FlowError
from retrieval.errors import RetrievalError
from training.errors import TrainingError

T = TypeVar("T")

# Five tries with jitter; MLflow waits 5 s for a locked SQLite each time, 20 s and more in all.
TRIES = 5
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 4.0
_PASSING = frozenset(
    {
        *(errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.EHOSTUNREACH, errno.ENETUNREACH),
    }
)
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
# MLflow's word for what its database answered when it could not answer.
_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"


def patiently(work: Callable[[], T], *, on_retry: Callable[[str], None], tries: int = TRIES) -> T:
    """Do the work; up to `tries` times while what it raises passes, told of by `on_retry` before.

    Raises what the last try raised.
    """
    import tenacity  # noqa: PLC0415 - most commands fail at nothing, and start in 50 ms

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        on_retry(f"{type(error).__name__}, try {state.attempt_number} of {tries}")

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        wait=tenacity.wait_random_exponential(
            multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS
        ),
        stop=tenacity.stop_after_attempt(tries),
        before_sleep=tell,
        reraise=True,
    )
    return retrying(work)


def passes(error: BaseException) -> bool:
    """Return whether the same work may succeed a moment later, with nothing done about it.

    >>> passes(ConnectionResetError(104, "reset")), passes(OSError(28, "No space left on device"))
    (True, False)
    """
    if isinstance(error, FlowError | RetrievalError | TrainingError):
        return False
    for cause in _causes(error):
        name = getattr(getattr(cause, "orig", cause), "sqlite_errorname", "")
        if name:
            return str(name).startswith(_LOCKED)
        if isinstance(cause, TimeoutError):
            return True
        if isinstance(cause, OSError):
            return cause.errno in _PASSING
    return getattr(error, "error_code", "") == _UNAVAILABLE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the deepest last."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__
