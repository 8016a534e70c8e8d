"""Calls to an embedding endpoint: what is tried again, for how long, and when to leave it be."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from retrieval.errors import BadVectorsError, EmbedderUnreachableError

if TYPE_CHECKING:
    import httpx
    import tenacity

_log = logging.getLogger(__name__)

_MAX_ANSWER_BYTES = 256_000_000  # 2,048 vectors of 4,096 numbers, written out: 170 MB
_SHOWN_CHARACTERS = 200  # of an answer, in an error
_TRY_AGAIN = frozenset({408, 425, 429})  # and everything from 500
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 20.0
_CURES = {
    401: "Check the API key.",
    403: "Check the API key and what it may do.",
    404: "Check `address` and `model` under [embedder].",
    413: "Lower `batch` or `max_tokens` under [embedder].",
}
_CURE = "Check `address`, `model` and `dimension` under [embedder]."


class _PassingError(Exception):
    """Something that may be gone in a moment; `wait_seconds` is what the server asked for."""

    def __init__(self, what: str, wait_seconds: float = 0.0) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


@dataclass
class CircuitBreaker:
    """After so many failures in a row, calls fail at once for a while; then one may try."""

    failures: int = 5
    rest_seconds: float = 60.0
    clock: Callable[[], float] = time.monotonic
    _in_a_row: int = field(default=0, init=False)
    _closed_until: float = field(default=0.0, init=False)

    def rest_left(self) -> float:
        """Return the seconds until a call may be tried; 0 if one may now."""
        if self._in_a_row < self.failures:
            return 0.0
        return max(self._closed_until - self.clock(), 0.0)

    def failed(self) -> None:
        """Count a failure."""
        self._in_a_row += 1
        self._closed_until = self.clock() + self.rest_seconds

    def worked(self) -> None:
        """Forget the failures."""
        self._in_a_row = 0


@dataclass(frozen=True)
class EndpointCalls:
    """Posts JSON to one address, with a budget of seconds for trying again."""

    url: str
    api_key: str | None = field(repr=False)
    timeout_seconds: float
    retry_seconds: float
    breaker: CircuitBreaker
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def connected(self) -> Iterator["Callable[[Mapping[str, Any]], Any]"]:
        """Give a function that posts an object and returns the answer's, over one connection.

        Raises EmbedderUnreachableError, and BadVectorsError for an answer that is not JSON.
        """
        import httpx  # noqa: PLC0415  150 ms that only an endpoint needs

        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        # A redirect is not followed: it would take the texts and the key to another host.
        with httpx.Client(
            timeout=self.timeout_seconds, headers=headers, follow_redirects=False
        ) as client:
            yield lambda body: self._post(client, body)

    def _post(self, client: "httpx.Client", body: Mapping[str, Any]) -> Any:
        import tenacity  # noqa: PLC0415

        if rest := self.breaker.rest_left():
            msg = (
                f"The embedding endpoint {self.url} failed {self.breaker.failures} times in a row "
                f"and is left alone for another {rest:.0f} seconds. Look at its log."
            )
            raise EmbedderUnreachableError(msg)
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_PassingError),
            wait=_wait,
            stop=self._spent,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return tries(self._post_once, client, body)
        except _PassingError as error:
            count = tries.statistics["attempt_number"]
            msg = (
                f"The embedding endpoint {self.url} failed {count} times within its "
                f"{self.retry_seconds:g} seconds: {error}. See that it runs and can be reached, "
                "then start again: what was finished is kept."
            )
            raise EmbedderUnreachableError(msg) from error

    def _post_once(self, client: "httpx.Client", body: Mapping[str, Any]) -> Any:
        import httpx  # noqa: PLC0415

        try:
            with client.stream("POST", self.url, json=body) as response:
                answer = self._read(response)
        except httpx.RequestError as error:
            self.breaker.failed()
            what = f"{type(error).__name__}: {error}"
            raise _PassingError(what) from error
        if response.status_code in _TRY_AGAIN or response.status_code >= httpx.codes(500):
            self.breaker.failed()
            raise _PassingError(self._told(response, answer), _retry_after(response.headers))
        self.breaker.worked()
        if response.status_code != httpx.codes.OK:
            cure = _CURES.get(response.status_code, _CURE)
            msg = f"The embedding endpoint {self.url}: {self._told(response, answer)}. {cure}"
            raise EmbedderUnreachableError(msg)
        try:
            return json.loads(answer)
        except ValueError as error:
            msg = f"The embedding endpoint {self.url} answered no JSON: {self._shown(answer)!r}"
            raise BadVectorsError(msg) from error

    def _read(self, response: "httpx.Response") -> bytes:
        answer = bytearray()
        began = self.breaker.clock()
        for part in response.iter_bytes():
            answer += part
            if len(answer) > _MAX_ANSWER_BYTES:
                msg = f"The embedding endpoint {self.url} answered more than any vectors have."
                raise BadVectorsError(msg)
            # The client's own limit is for each piece: one byte a second would never reach it.
            if self.breaker.clock() - began > self.timeout_seconds:
                self.breaker.failed()
                what = f"the answer took more than {self.timeout_seconds:g} seconds"
                raise _PassingError(what)
        return bytes(answer)

    def _spent(self, state: "tenacity.RetryCallState") -> bool:
        spent = max(state.seconds_since_start or 0.0, state.idle_for)
        return spent + state.upcoming_sleep > self.retry_seconds

    def _told(self, response: "httpx.Response", answer: bytes) -> str:
        return f"status {response.status_code}, {self._shown(answer)!r}"

    def _shown(self, answer: bytes) -> str:
        text = answer.decode("utf-8", "replace")
        if self.api_key:
            text = text.replace(self.api_key, "…")  # some servers say it back
        return text[:_SHOWN_CHARACTERS]


def _wait(state: "tenacity.RetryCallState") -> float:
    import tenacity  # noqa: PLC0415

    # With jitter, or many workers that failed together would come back together.
    backoff = tenacity.wait_exponential_jitter(
        multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS, jitter=_FIRST_WAIT_SECONDS
    )
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_seconds if isinstance(error, _PassingError) else 0.0
    seconds = max(backoff(state), asked)
    _log.info("The embedding endpoint is tried again in %.1f seconds: %s", seconds, error)
    return seconds


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait; 0 if it does not say.

    >>> _retry_after({"Retry-After": "7"}), _retry_after({}), _retry_after({"Retry-After": "-1"})
    (7.0, 0.0, 0.0)
    >>> day = "Sun, 01 Nov 2026 10:00:"
    >>> _retry_after({"Retry-After": day + "30 GMT", "Date": day + "00 GMT"})
    30.0
    """
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told)
    try:  # a date is read by the server's own clock: ours may be wrong
        later, now = (parsedate_to_datetime(text) for text in (told, headers.get("Date", "")))
        return max((later - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
