"""A password before an application: whoever does not bring it reaches nothing."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from flows.serving.password import Message, Receive, Send, locked

CREDENTIALS = "ada:lövelace"


async def _inside(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "reached"})


def answered(scope: dict[str, Any]) -> list[Any]:
    """Return what is sent to who calls."""
    sent: list[Any] = []

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(locked(_inside, CREDENTIALS)(scope, receive, send))
    return sent


def header(credentials: str, scheme: str = "Basic") -> list[tuple[bytes, bytes]]:
    value = f"{scheme} {base64.b64encode(credentials.encode()).decode()}"
    return [(b"authorization", value.encode())]


def http(path: str = "/", headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": headers or []}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param(header("ada:wrong"), id="another"),
        pytest.param(header(CREDENTIALS[:-1]), id="one-character-too-few"),
        pytest.param(header(CREDENTIALS, "Bearer"), id="another-scheme"),
        pytest.param([(b"authorization", b"\xff\xfe")], id="no-text"),
    ],
)
def test_without_the_password_a_request_gets_a_401(headers: list[tuple[bytes, bytes]]):
    start, body = answered(http(headers=headers))

    assert start["status"] == 401
    assert dict(start["headers"])[b"www-authenticate"].startswith(b"Basic")
    assert CREDENTIALS.encode() not in body["body"]


def test_with_the_password_it_passes():
    assert answered(http(headers=header(CREDENTIALS))) == [{"type": "reached"}]


def test_a_websocket_is_closed():
    assert answered({"type": "websocket", "path": "/", "headers": []})[0]["code"] == 1008


@pytest.mark.parametrize("scope", [http("/health"), {"type": "lifespan"}])
def test_whether_it_is_up_is_no_secret(scope: dict[str, Any]):
    assert answered(scope) == [{"type": "reached"}]


@pytest.mark.parametrize("path", ["/health/", "/healthy", "/x/health", "/HEALTH"])
def test_what_only_looks_like_it_is_closed(path: str):
    assert answered(http(path))[0]["status"] == 401
