"""A password before an ASGI application: HTTP's basic scheme. Knows no framework."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Coroutine[Any, Any, None]]

# Whether a server is up is no secret, and `driftline up` asks without a password.
_OPEN = frozenset({"/health"})


def locked(application: Application, credentials: str) -> Application:
    """Return the application behind `USER:PASSWORD`; whatever else is sent gets a 401."""
    expected = b"Basic " + base64.b64encode(credentials.encode())

    async def guard(scope: Message, receive: Receive, send: Send) -> None:
        asks = scope["type"] != "lifespan" and scope.get("path") not in _OPEN
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if asks and not hmac.compare_digest(given, expected):
            await _refuse(scope, send)
            return
        await application(scope, receive, send)

    return guard


async def _refuse(scope: Message, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    asking = (b"www-authenticate", b'Basic realm="driftline", charset="UTF-8"')
    plain = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": 401, "headers": [asking, plain]})
    await send({"type": "http.response.body", "body": b"A user and a password are needed.\n"})
