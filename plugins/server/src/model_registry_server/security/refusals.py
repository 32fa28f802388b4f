"""How a request is refused before the application sees it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from model_registry_server.errors import PROBLEM_TYPE, problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def refuse(send: Send, status: HTTPStatus, detail: str, hint: str, **facts: Any) -> None:
    """Answer with a problem document (RFC 9457).

    :param detail: What is wrong.
    :param hint: What to do.
    """
    body = json.dumps(problem(status.value, detail, hint=hint, **facts)).encode()
    headers = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_bad_request(send: Send, detail: str, hint: str) -> None:
    """Answer that a request cannot be understood."""
    await refuse(send, HTTPStatus.BAD_REQUEST, detail, hint)
