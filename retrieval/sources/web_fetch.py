"""One bounded GET: in bytes, in time, and in whom it may reach. Only this file knows httpcore.

The resolved IP address is checked and then connected to, in one step and for every connection, so
that a second answer of the name server can lead nowhere. Neither proxies from the environment nor
cookies nor redirects are followed here.
"""

import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

from retrieval.records import RefusalCode
from retrieval.sources.web_address import DEFAULT_PORTS, is_allowed

Resolve = Callable[[str, int], list[str]]
"""The IP addresses of a host, as text."""

_PIECE = 65_536  # bytes given to zlib at once: many tiny members must not cost their square
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class FetchError(Exception):
    """A page that could not be had. `lost`: nor can any other page of its host be."""

    def __init__(self, code: RefusalCode, reason: str, *, lost: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. Names of headers are lower case; only a 200 has its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The type without its parameters, lower case; empty if the server names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Fetcher:
    """One connection at a time, kept between pages of the same host. Close it after use."""

    def __init__(
        self,
        *,
        user_agent: str,
        timeout_seconds: float,
        allow_private: bool,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._backend = _PinnedBackend(resolve or resolve_host, allow_private=allow_private)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls, max_connections=1, network_backend=self._backend
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def get(
        self,
        address: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        wanted: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        """Return the answer for a normal address; its body only if it is 200 and `wanted`.

        Raises FetchError. The whole exchange, from the first byte to the last, has one deadline.
        """
        self._backend.deadline = time.monotonic() + self._timeout_seconds
        sent: dict[bytes | str, bytes | str] = {
            "Host": urlsplit(address).netloc,
            "User-Agent": self._user_agent,
            "Accept-Encoding": "gzip",
        }
        sent.update(headers.items() if headers else ())
        try:
            with self._pool.stream(
                "GET",
                _pool_address(address),
                headers=sent,
                extensions={"timeout": dict.fromkeys(_PHASES, self._timeout_seconds)},
            ) as response:
                return _read(response, max_bytes, wanted)
        except httpcore.TimeoutException as error:
            reason = f"it was not there within {self._timeout_seconds:g} seconds"
            raise FetchError(RefusalCode.TIMEOUT, reason) from error
        except httpcore.ConnectError as error:
            reason = f"its host cannot be reached: {error}"
            raise FetchError(RefusalCode.UNREADABLE, reason, lost=True) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = f"the connection broke off: {error}"
            raise FetchError(RefusalCode.DAMAGED, reason) from error


_PHASES = ("connect", "read", "write", "pool")


def inflate(pieces: Iterable[bytes], max_bytes: int) -> bytes:
    """Return gzip or zlib data unpacked; never holds more than max_bytes of it.

    Raises FetchError if it is longer, damaged, or ends too early.

    >>> inflate([zlib.compress(b"text")], 4)
    b'text'
    """
    unpacked = bytearray()
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in _cut(pieces):
            rest = piece
            while rest:
                if unpacker.eof:  # one member after another is one file, says RFC 1952
                    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
                unpacked += unpacker.decompress(rest, max_bytes + 1 - len(unpacked))
                _require_size(len(unpacked), max_bytes)
                rest = unpacker.unused_data
    except zlib.error as error:
        raise FetchError(RefusalCode.DAMAGED, f"it cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise FetchError(RefusalCode.DAMAGED, "its compressed data ends too early")
    return bytes(unpacked)


def resolve_host(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host. Raises httpcore.ConnectError if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        msg = f"no address is known for {host!r}"
        raise httpcore.ConnectError(msg) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), _PIECE):
            yield piece[at : at + _PIECE]


def _require_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        reason = f"it has more than {max_bytes:,} bytes, which is the limit"
        raise FetchError(RefusalCode.TOO_BIG, reason)


def _pool_address(address: str) -> httpcore.URL:
    parts = urlsplit(address)
    return httpcore.URL(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or DEFAULT_PORTS[parts.scheme],
        target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
    )


def _read(response: httpcore.Response, max_bytes: int, wanted: Callable[[Answer], bool]) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())
    head = Answer(response.status, headers)
    if response.status != 200 or not wanted(head):  # noqa: PLR2004 the one status with a body
        return head
    return Answer(response.status, headers, _body(response, headers, max_bytes))


def _body(response: httpcore.Response, headers: Mapping[str, str], max_bytes: int) -> bytes:
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return inflate(response.iter_stream(), max_bytes)
    if encoding != "identity":
        reason = f"it came packed as {encoding!r}, which was not asked for"
        raise FetchError(RefusalCode.ENCODING, reason)
    body = bytearray()
    for piece in response.iter_stream():
        body += piece
        _require_size(len(body), max_bytes)
    return bytes(body)


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to checked IP addresses only; every wait ends at the deadline."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self.deadline = 0.0
        self._resolve = resolve
        self._allow_private = allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for ip in self._checked(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    ip, port, self.time_left(timeout), local_address, socket_options
                )
                return _TimedStream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError(f"no address is known for {host!r}")

    def time_left(self, timeout: float | None) -> float:
        """Return the seconds to the deadline; raise httpcore.ReadTimeout once it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(left, timeout)

    def _checked(self, host: str, port: int) -> list[str]:
        found = self._resolve(host, port)
        for text in found:
            ip = ipaddress.ip_address(text.partition("%")[0])
            if not is_allowed(ip, allow_private=self._allow_private):
                reason = (
                    f"{host!r} is {text}, which is not a public address; if it is a server of "
                    "your own network, set allow_private for this source"
                )
                raise FetchError(RefusalCode.UNSAFE, reason, lost=True)
        return found


class _TimedStream(httpcore.NetworkStream):
    """A stream whose reads share one deadline: a byte a second is not progress for ever."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _PinnedBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.time_left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._backend.time_left(timeout)
        secure = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(secure, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
