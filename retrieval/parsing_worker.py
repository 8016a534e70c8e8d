"""The child process in which the parsers of others run: bytes in, sections out, nothing else.

Started by retrieval.parsing_process. Messages are a length, then JSON (a request's is followed by
the document's bytes): whoever takes over this process can send text, and nothing that is executed.
"""

import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from retrieval.errors import DocumentRefusedError
from retrieval.parsing import parse
from retrieval.records import Document, RefusalCode

REQUEST = struct.Struct(">IQ")  # bytes of JSON, bytes of the document
REPLY = struct.Struct(">Q")
OUT_OF_MEMORY = 3  # exit status
_MAX_OPEN_FILES = 32  # to import a parser takes a few
_FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def main(seconds: int, memory_bytes: int) -> None:
    """Answer requests until the parent closes the pipe, or is gone."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    _confine(memory_bytes)
    while header := requests.read(REQUEST.size):
        _begin_document(seconds)
        try:
            _serve(requests, replies, *REQUEST.unpack(header))
        except MemoryError:
            sys.exit(OUT_OF_MEMORY)
        signal.alarm(0)


def _serve(requests: BinaryIO, replies: BinaryIO, described: int, size: int) -> None:
    request = json.loads(requests.read(described))
    reply = json.dumps(_answer(request, requests.read(size))).encode()
    replies.write(REPLY.pack(len(reply)))
    replies.write(reply)
    replies.flush()


def _answer(request: dict[str, str | None], data: bytes) -> dict[str, Any]:
    modified_at = request["modified_at"]
    try:
        document = parse(
            request["uri"] or "",
            data,
            media_type=request["media_type"],
            modified_at=datetime.fromisoformat(modified_at) if modified_at else None,
            trust=request["trust"] or "",
        )
    except DocumentRefusedError as error:
        return {"code": error.reason_code.value, "reason": error.reason}
    except MemoryError:
        reason = "to parse it takes more memory than a document may"
        return {"code": RefusalCode.TOO_BIG.value, "reason": reason}
    return _described(document)


def _described(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "sections": [[section.headings, section.text] for section in document.sections],
        "media_type": document.media_type,
        "flags": document.flags,
        "neutralised": document.neutralised,
    }


def _confine(memory_bytes: int) -> None:
    """Give up whatever a parser does not need. What a system does not know, it cannot limit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES)
    with suppress(
        OSError, ValueError
    ):  # only Linux says how much is in use, and only there it matters
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory_bytes)
    sys.addaudithook(_forbid)


def _limit(kind: int, most: int) -> None:
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most))


def _forbid(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        msg = f"A parser has no business with {event}."
        raise PermissionError(msg)


def _begin_document(seconds: int) -> None:
    """Let the system end this process even if the parent is no longer there to do it."""
    signal.alarm(seconds + 5)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    with suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds + 2, hard))
