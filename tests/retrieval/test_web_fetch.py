"""Fetching one page: hostile servers are given up on, and only checked addresses are reached."""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable

import pytest

from retrieval.records import RefusalCode
from retrieval.sources.web_fetch import Answer, Fetcher, FetchError, inflate
from tests.retrieval.web_server import Page, serve_raw, serve_site

Speak = Callable[[socket.socket, threading.Event], None]


def fetcher(*, timeout_seconds: float = 5.0) -> Fetcher:
    return Fetcher(user_agent="test/1", timeout_seconds=timeout_seconds, allow_private=True)


def fetch_raw(speak: Speak, *, max_bytes: int = 1_000, timeout_seconds: float = 5.0) -> Answer:
    with serve_raw(speak) as port:
        client = fetcher(timeout_seconds=timeout_seconds)
        try:
            return client.get(f"http://127.0.0.1:{port}/", max_bytes=max_bytes)
        finally:
            client.close()


def code_of(speak: Speak, **limits: float) -> RefusalCode:
    with pytest.raises(FetchError) as caught:
        fetch_raw(speak, **limits)  # type: ignore[arg-type]
    return caught.value.code


def says(*pieces: bytes) -> Speak:
    def speak(connection: socket.socket, over: threading.Event) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return speak


def drips(start: bytes, piece: bytes) -> Speak:
    """Send a start, then a piece every few milliseconds until the test is over."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.01):
            connection.sendall(piece)

    return speak


def test_a_page_comes_with_its_status_headers_and_body():
    answer = fetch_raw(says(b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; x=y\r\n\r\n", b"body"))

    assert (answer.status, answer.body, answer.media_type) == (200, b"body", "text/html")


def test_a_body_as_long_as_the_limit_is_taken():
    assert len(fetch_raw(says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000)).body) == 1_000


def test_a_body_one_byte_over_the_limit_is_refused():
    assert code_of(says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_001)) is RefusalCode.TOO_BIG


def test_an_endless_body_is_refused_at_the_limit():
    assert code_of(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 500)) is RefusalCode.TOO_BIG


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n", b"X: a\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["status", "a-header", "headers", "body", "chunks"],
)
def test_a_server_that_drips_is_given_up_at_the_deadline(start: bytes, piece: bytes):
    code = code_of(drips(start, piece), max_bytes=10_000_000, timeout_seconds=0.3)

    assert code in {RefusalCode.TIMEOUT, RefusalCode.DAMAGED}


def test_a_body_that_drips_is_a_timeout():
    speak = drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x")

    assert code_of(speak, timeout_seconds=0.3) is RefusalCode.TIMEOUT


def test_a_server_that_says_nothing_is_a_timeout():
    assert code_of(lambda _, over: void(over.wait(5)), timeout_seconds=0.2) is RefusalCode.TIMEOUT


def void(_: object) -> None:
    return None


def test_headers_without_end_are_refused():
    speak = says(b"HTTP/1.1 200 OK\r\n", b"X: aaaaaaaaaaaaaaaaaaaa\r\n" * 20_000)

    assert code_of(speak) is RefusalCode.DAMAGED


def test_a_body_shorter_than_its_length_is_damaged():
    speak = says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"short")

    assert code_of(speak) is RefusalCode.DAMAGED


def test_a_body_longer_than_its_length_ends_there():
    speak = says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"four and more")

    assert fetch_raw(speak).body == b"four"


def test_no_http_at_all_is_damaged():
    assert code_of(says(b"SSH-2.0-server\r\n")) is RefusalCode.DAMAGED


def packed(encoding: bytes, body: bytes) -> Speak:
    return says(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding + b"\r\n\r\n", body)


@pytest.mark.parametrize(
    ("encoding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)], ids=str
)
def test_a_packed_body_is_unpacked(encoding: bytes, pack: Callable[[bytes], bytes]):
    assert fetch_raw(packed(encoding, pack(b"text"))).body == b"text"


def test_a_gzip_bomb_is_refused_at_the_limit():
    assert code_of(packed(b"gzip", gzip.compress(bytes(20_000_000)))) is RefusalCode.TOO_BIG


def test_a_cut_off_gzip_body_is_damaged():
    assert code_of(packed(b"gzip", gzip.compress(b"text" * 9)[:-4])) is RefusalCode.DAMAGED


def test_garbage_that_calls_itself_gzip_is_damaged():
    assert code_of(packed(b"gzip", b"garbage")) is RefusalCode.DAMAGED


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip"], ids=str)
def test_a_packing_that_was_not_asked_for_is_refused(encoding: bytes):
    assert code_of(packed(encoding, b"whatever")) is RefusalCode.ENCODING


def test_gzip_members_in_a_row_are_one_text():
    assert inflate([gzip.compress(b"one ") + gzip.compress(b"two")], 100) == b"one two"


def test_the_body_of_an_unwanted_answer_is_not_read():
    with serve_raw(drips(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", b"x")) as port:
        answer = fetcher().get(
            f"http://127.0.0.1:{port}/", max_bytes=10, wanted=lambda head: not head.media_type
        )

    assert (answer.status, answer.body) == (200, b"")


def test_a_closed_port_means_that_the_host_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(FetchError, match="cannot be reached") as caught:
        fetcher().get(f"http://127.0.0.1:{port}/", max_bytes=10)

    assert caught.value.lost


def test_a_host_without_address_is_lost():
    with pytest.raises(FetchError, match="no address is known") as caught:
        fetcher().get("http://nowhere.invalid/", max_bytes=10)

    assert caught.value.lost


def test_the_server_sees_the_name_while_the_checked_address_is_connected_to():
    with serve_site() as site:
        site.pages["/a?b"] = Page(b"x")
        resolved: list[str] = []
        client = Fetcher(
            user_agent="test/1",
            timeout_seconds=5,
            allow_private=True,
            resolve=lambda host, _: resolved.append(host) or ["127.0.0.1"],  # type: ignore[func-returns-value]
        )
        client.get(f"http://docs.example:{site.port}/a?b", max_bytes=10)
        client.close()

    [(path, headers)] = site.asked
    assert (path, headers["host"]) == ("/a?b", f"docs.example:{site.port}")
    assert resolved == ["docs.example"]


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]],
    ids=str,
)
def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(found: list[str]):
    with serve_site() as site:
        client = Fetcher(
            user_agent="test/1", timeout_seconds=5, allow_private=False, resolve=lambda *_: found
        )
        with pytest.raises(FetchError, match="not a public address") as caught:
            client.get(f"http://docs.example:{site.port}/", max_bytes=10)

    assert caught.value.code is RefusalCode.UNSAFE
    assert site.asked == []


def test_a_name_server_that_changes_its_mind_leads_nowhere():
    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx")

    with serve_raw(speak) as port:
        answers = iter([["127.0.0.1"], ["169.254.169.254"]])
        client = Fetcher(
            user_agent="test/1",
            timeout_seconds=5,
            allow_private=True,
            resolve=lambda *_: next(answers),
        )
        assert client.get(f"http://docs.example:{port}/", max_bytes=10).status == 200
        with pytest.raises(FetchError, match="not a public address"):
            client.get(f"http://docs.example:{port}/", max_bytes=10)


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9/")

    with serve_site() as site:
        site.pages["/"] = Page(b"x")
        client = fetcher()
        assert client.get(f"{site.root}/", max_bytes=10).body == b"x"
        client.close()


def test_cookies_are_neither_kept_nor_sent():
    with serve_site() as site:
        site.pages["/"] = Page(b"x", headers={"Set-Cookie": "a=b"})
        client = fetcher()
        for _ in range(2):
            client.get(f"{site.root}/", max_bytes=10)
        client.close()

    assert len(site.asked) == 2
    assert all("cookie" not in headers for _, headers in site.asked)
