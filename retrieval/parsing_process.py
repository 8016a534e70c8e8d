"""Documents parsed where a hostile one can harm nothing: in a child process with limits.

What our own linear readers read stays here, where it costs no copy; all else goes to one child
that lives as long as the parser, and is replaced when a document takes it down.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Timer
from types import TracebackType
from typing import IO, Any, Self

from retrieval.errors import DocumentRefusedError
from retrieval.formats import choose_format
from retrieval.parsing import digest_of, parse
from retrieval.parsing_worker import OUT_OF_MEMORY, REPLY, REQUEST
from retrieval.records import Body, Document, Flag, RefusalCode, Section

_ROOT = str(Path(__file__).resolve().parents[1])
_START = (
    "import sys; seconds, memory, *sys.path = sys.argv[1:]; "
    "from retrieval.parsing_worker import main; main(int(seconds), int(memory))"
)
# Without these some builds of Python do not start; the child needs nothing else of the outside.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_LAST_BREATH_SECONDS = 1  # from the end of its pipe to its own
_MAX_REPLY_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """What one document may take. `own_bytes` is up to where our own readers read it right here."""

    seconds: int = 30
    memory_bytes: int = 1 << 30
    own_bytes: int = 2_000_000


class Parser:
    """Parses documents one at a time; ends its child on leaving the `with` block.

    >>> with Parser() as parser:
    ...     parser.parse("a.txt", b"Hello").title
    'Hello'
    """

    def __init__(self, limits: ParserLimits | None = None) -> None:
        self._limits = limits or ParserLimits()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if one was started."""
        self._end_child()

    def parse_body(self, uri: str, body: Body, trust: str) -> Document:
        """Return the document that a source's body is."""
        return self.parse(
            uri, body.data, media_type=body.media_type, modified_at=body.modified_at, trust=trust
        )

    def parse(
        self,
        uri: str,
        data: bytes,
        *,
        media_type: str | None = None,
        modified_at: datetime | None = None,
        trust: str = "trusted",
    ) -> Document:
        """Return the document as retrieval.parsing.parse does, or refuse it within the limits.

        Raises DocumentRefusedError, with DOC_TIMEOUT or DOC_TOO_BIG where a limit was reached,
        and with DOC_DAMAGED where its parser crashed.
        """
        foreign = choose_format(uri, media_type).foreign
        if not foreign and len(data) <= self._limits.own_bytes:
            return parse(uri, data, media_type=media_type, modified_at=modified_at, trust=trust)
        request = {
            "uri": uri,
            "media_type": media_type,
            "modified_at": modified_at.isoformat() if modified_at else None,
            "trust": trust,
        }
        with self._lock:
            used = self._child is not None
            reply = self._ask(json.dumps(request).encode(), data)
            if used and reply.get("code") == RefusalCode.TOO_BIG:
                # What documents before it left in memory is not this one's fault.
                reply = self._ask(json.dumps(request).encode(), data)
        if "code" in reply:
            raise DocumentRefusedError(RefusalCode(reply["code"]), str(reply["reason"]))
        return _document(reply, uri, data, modified_at, trust)

    def _ask(self, request: bytes, data: bytes) -> Mapping[str, Any]:
        child = self._ready_child()
        with _Watch(child, self._limits.seconds) as watch:
            try:
                reply = _exchange(child, request, data)
            except (OSError, EOFError, ValueError):
                reply = _death_of(child, watch)
                self._end_child()
        # A child that was refused memory may be left with little of it for the next document.
        if watch.fired.is_set() or reply.get("code") == RefusalCode.TOO_BIG:
            self._end_child()
        return reply

    def _ready_child(self) -> "subprocess.Popen[bytes]":
        if self._child is not None and self._child.poll() is not None:
            self._end_child()
        if self._child is None:
            self._child = _start_child(self._limits)
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()  # it holds nothing that could be lost
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    _open(pipe).close()


class _Watch:
    """Ends the child after some seconds; `fired` says that it did."""

    def __init__(self, child: "subprocess.Popen[bytes]", seconds: float) -> None:
        self.fired = Event()
        self.seconds = seconds
        self._child = child
        self._timer = Timer(seconds, self._fire)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()

    def _fire(self) -> None:
        self.fired.set()
        self._child.kill()


def _start_child(limits: ParserLimits) -> "subprocess.Popen[bytes]":
    """Start this Python without environment, site packages' hooks or the user's own modules."""
    known = [_ROOT, *(path for path in sys.path if os.path.isabs(path) and path != _ROOT)]  # noqa: PTH117 entries are text
    numbers = [str(limits.seconds), str(limits.memory_bytes)]
    return subprocess.Popen(  # noqa: S603 this Python, with arguments of our own
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, *numbers, *known],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    )


def _exchange(child: "subprocess.Popen[bytes]", request: bytes, data: bytes) -> Mapping[str, Any]:
    """Send a document and wait for the answer; raise EOFError or OSError if the child is gone."""
    requests, replies = _open(child.stdin), _open(child.stdout)
    requests.write(REQUEST.pack(len(request), len(data)))
    requests.write(request)
    requests.write(data)
    requests.flush()
    (size,) = REPLY.unpack(_read_exactly(replies, REPLY.size))
    if size > _MAX_REPLY_BYTES:
        raise EOFError
    reply: Mapping[str, Any] = json.loads(_read_exactly(replies, size))
    return reply


def _read_exactly(replies: IO[bytes], size: int) -> bytes:
    data = replies.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _death_of(child: "subprocess.Popen[bytes]", watch: _Watch) -> Mapping[str, Any]:
    with suppress(subprocess.TimeoutExpired):  # one that is alive only talks nonsense
        child.wait(_LAST_BREATH_SECONDS)
    if watch.fired.is_set() or child.returncode in {-signal.SIGXCPU, -signal.SIGALRM}:
        reason = f"to parse it takes more than {watch.seconds:g} seconds"
        return {"code": RefusalCode.TIMEOUT, "reason": reason}
    if child.returncode in {OUT_OF_MEMORY, -signal.SIGKILL}:
        reason = "to parse it takes more memory than a document may"
        return {"code": RefusalCode.TOO_BIG, "reason": reason}
    return {"code": RefusalCode.DAMAGED, "reason": "its parser crashed over it"}


def _document(
    reply: Mapping[str, Any], uri: str, data: bytes, modified_at: datetime | None, trust: str
) -> Document:
    return Document(
        uri=uri,
        title=str(reply["title"]),
        sections=tuple(
            Section(tuple(map(str, headings)), str(text)) for headings, text in reply["sections"]
        ),
        media_type=str(reply["media_type"]),
        digest=digest_of(data),
        modified_at=modified_at,
        trust=trust,
        flags=tuple(map(Flag, reply["flags"])),
        neutralised=int(reply["neutralised"]),
    )


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EOFError
    return pipe
