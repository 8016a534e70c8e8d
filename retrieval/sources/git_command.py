"""The git command line, called so that no repository, address or variable can make it run a thing.

No shell, hook, filter, helper or prompt; every call has a time-out that ends its whole group.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from retrieval.errors import SourceUnreachableError

TIMEOUT_SECONDS = 120.0
_GRACE_SECONDS = 5.0  # to take away its lock files before it is killed
# Whoever runs us inside a git hook has GIT_DIR set, and other names of git's run programs or write
# files. Only what says how to reach a server, and where the person's own settings are, is kept.
_KEPT = {
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
}
_ENVIRONMENT = {
    "GIT_ASKPASS": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C",
}
_OPTIONS = {
    "core.hooksPath": os.devnull,
    "core.askPass": "",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "transfer.bundleURI": "false",
    "gc.autoDetach": "false",  # nothing may go on after the call
    "maintenance.autoDetach": "false",
}
_MISSING = "git is not installed, or not on the PATH."


@dataclass(frozen=True)
class Git:
    """Calls git for one repository.

    `protocols` are the transports it may use, as GIT_ALLOW_PROTOCOL has them. Without `discover`
    the folder is the repository itself, never one of the folders above it.
    """

    folder: Path
    protocols: str = "none"
    discover: bool = False
    timeout_seconds: float = TIMEOUT_SECONDS

    def call(self, *arguments: str) -> bytes:
        """Return what git wrote.

        Raises subprocess.CalledProcessError if git failed (`last_words` says why), and
        SourceUnreachableError if it is not installed or took longer than the time-out.
        """
        process = self.start(*arguments, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=self.timeout_seconds)
        except subprocess.TimeoutExpired:
            msg = (
                f"`git {arguments[0]}` took longer than {self.timeout_seconds:g} s and was "
                "stopped. Look at the network, or allow it more time."
            )
            raise SourceUnreachableError(msg) from None  # the cause shows the address as it is
        finally:
            end(process)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, arguments[0], out, err)
        return out

    def start(self, *arguments: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Start git in a group of its own, with pipes to its input and from its output."""
        git = shutil.which("git")
        if git is None:
            raise SourceUnreachableError(_MISSING)
        options = (part for item in _OPTIONS.items() for part in ("-c", "=".join(item)))
        place = ("-C", str(self.folder), "--no-pager", "--literal-pathspecs")
        return subprocess.Popen(  # noqa: S603 no shell, and no argument that could be an option
            [git, *place, *options, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self._environment(),
            start_new_session=True,  # no terminal to ask on, and a group that can be ended whole
        )

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name in _KEPT
        }
        if not self.discover:
            kept["GIT_CEILING_DIRECTORIES"] = str(self.folder.resolve().parent)
        return kept | _ENVIRONMENT | {"GIT_ALLOW_PROTOCOL": self.protocols}


class Blobs:
    """Reads the bytes of blobs, one git process for all of them, started by the first."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, blob: str, *, max_bytes: int | None = None) -> bytes:
        """Return the bytes, checked against the id.

        Raises LookupError if the repository lacks the object, EOFError if git ended before it
        had given it whole, ValueError if the bytes are not those the id was made from, and
        OverflowError if they are more than `max_bytes`.
        """
        with self._lock:
            try:
                data = self._read(blob, max_bytes)
            except (EOFError, OSError, OverflowError) as error:
                self._end()
                if isinstance(error, OverflowError):
                    raise
                msg = f"git ended before it had given object {blob} whole"
                raise EOFError(msg) from error
        if blob_id(data, like=blob) != blob:
            msg = f"object {blob} is damaged"
            raise ValueError(msg)
        return data

    def close(self) -> None:
        """End the process; another read starts a new one."""
        with self._lock:
            self._end()

    def _read(self, blob: str, max_bytes: int | None) -> bytes:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        killed = (self._process, signal.SIGKILL)  # it only reads: there is no lock to remove
        ending = threading.Timer(self._git.timeout_seconds, _signal, killed)
        ending.start()
        try:
            return _ask(self._process, blob, max_bytes)
        finally:
            ending.cancel()

    def _end(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None


def _ask(process: "subprocess.Popen[bytes]", blob: str, max_bytes: int | None) -> bytes:
    into, out = _pipes(process)
    into.write(blob.encode() + b"\n")
    into.flush()
    header = out.readline().split()
    if header[1:2] == [b"missing"]:
        msg = f"object {blob} is missing"
        raise LookupError(msg)
    if header[1:2] != [b"blob"]:
        raise EOFError
    size = int(header[2])
    if max_bytes is not None and size > max_bytes:
        raise OverflowError(size)
    data = out.read(size + 1)
    if len(data) != size + 1:
        raise EOFError
    return data[:size]


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise EOFError
    return process.stdin, process.stdout


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all it started: by request, so that it removes its locks, then by force."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        # Not reaped before the last signal, or its number could already be another's.
        while not _exited(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        _signal(process, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            _close(pipe)


def _exited(process: "subprocess.Popen[bytes]") -> bool:
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, look) is not None


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in the group


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # what was not written yet is of no use now


def blob_id(data: bytes, *, like: str) -> str:
    """Return the id that git gives these bytes, by the hash that `like` was made with.

    >>> blob_id(b"", like="0" * 40)
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    short = len(like) == hashlib.sha1(usedforsecurity=False).digest_size * 2
    hashed = hashlib.sha1(usedforsecurity=False) if short else hashlib.sha256()
    hashed.update(b"blob %d\0" % len(data))
    hashed.update(data)
    return hashed.hexdigest()


@contextmanager
def unreachable_as(explain: Callable[[str], str]) -> Iterator[None]:
    """Raise whatever fails as an unreachable source; `explain` is given git's own words."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        said = last_words(error)
    except OSError as error:
        said = str(error)
    else:
        return
    raise SourceUnreachableError(explain(said)) from None  # git's words are all there is


def last_words(error: subprocess.CalledProcessError) -> str:
    """Return why git failed, in its own words, on one line and without credentials."""
    paragraph = error.stderr.decode("utf-8", "replace").strip().split("\n\n")[0]
    lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "ssh:", "error:"))]
    words = "; ".join(telling[-2:] or lines[-1:]) or f"exit status {error.returncode}"
    return without_credentials("".join(_visible(character) for character in words))[:500]


def without_credentials(text: str) -> str:
    """Return a text with what stands before the host, or after the ?, of every address hidden.

    >>> without_credentials("fatal: 'https://me:p@ss@host/x?token=1' not found")
    "fatal: 'https://***@host/x?***' not found"
    """
    # A password may hold what an address should have escaped; a port is none.
    hidden = re.sub(r"://(?:[^/\s']+|[^/\s:@']*:(?!\d+/)[^\s']*)@", "://***@", text)
    return re.sub(r"(://[^\s'?]*\?)[^\s']+", r"\1***", hidden)


def _visible(character: str) -> str:
    return character if character.isprintable() else " "
