"""How a request is refused before the application sees it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def refuse(send: Send, status: HTTPStatus, detail: str) -> None:
    """Answer with a problem document (RFC 9457).

    :param detail: What is wrong, and what to do.
    """
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_bad_request(send: Send, detail: str) -> None:
    """Answer that a request cannot be understood."""
    await refuse(send, HTTPStatus.BAD_REQUEST, detail)
