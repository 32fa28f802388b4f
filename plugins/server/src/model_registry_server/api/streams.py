"""Server-sent events: how one is written, and when a stream of them ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from model_registry import ModelRegistryError
from model_registry_server.api.permission import caller_of, owner_of, server_of

Item = TypeVar("Item")

#: Seconds of silence after which something is sent, so that nobody in between takes the connection for dead.
_SILENCE = 15.0
#: Seconds after which a follower's token is looked at again.
_READMIT = 5.0
STILL_HERE = ": still here\n\n"


def event(kind: str, content: Any, id: object = None) -> str:
    """A server-sent event."""
    number = "" if id is None else f"id: {id}\n"
    return f"{number}event: {kind}\ndata: {json.dumps(content)}\n\n"


def streamed(request: Request, events: AsyncIterator[str]) -> StreamingResponse:
    """The answer that sends them, until they end, the server is stopped, or the caller's token is not good any more.

    Sending it raises ``TooManyRequestsError`` if the caller has as many streams open as it may.
    """
    return _Stream(request, events)


class _Stream(StreamingResponse):
    def __init__(self, request: Request, events: AsyncIterator[str]) -> None:
        super().__init__(
            _watched(request, events), headers={"Cache-Control": "no-store"}, media_type="text/event-stream"
        )
        self._followers, self._owner = server_of(request).followers, owner_of(caller_of(request))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Counted here and not when it is made, for an answer that is not sent ends nowhere."""
        with self._followers.one_more(self._owner):
            await super().__call__(scope, receive, send)


async def _watched(request: Request, events: AsyncIterator[str]) -> AsyncIterator[str]:
    stopping = asyncio.ensure_future(server_of(request).stopping.wait())
    coming = asyncio.ensure_future(_next(events))
    admitted = sent = time.monotonic()
    try:
        while True:
            await asyncio.wait((coming, stopping), timeout=_READMIT, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                return
            now = time.monotonic()
            if now - admitted >= _READMIT:
                admitted = now
                try:
                    request.state.admit()
                except ModelRegistryError:
                    return
            if coming.done():
                text = coming.result()
                if text is None:
                    return
                yield text
                sent, coming = now, asyncio.ensure_future(_next(events))
            elif now - sent >= _SILENCE:
                sent = now
                yield STILL_HERE
    finally:
        stopping.cancel()
        coming.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await coming
        with suppress(RuntimeError):
            await events.aclose()  # type: ignore[attr-defined]


async def _next(events: AsyncIterator[Item]) -> Item | None:
    async for item in events:
        return item
    return None
