"""Quick work of a caller, in a worker process: a few at once for each, and none for a caller who has left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import HTTPException, Request

from model_registry_server.api.permission import actor_of, caller_of, owner_of, server_of


async def look(request: Request, task: str, arguments: Mapping[str, Any]) -> Any:
    """What a task that changes nothing gives. It ends when the caller leaves, which kills its process.

    :raises WorkerError: for whatever failed.
    """
    owner = owner_of(caller_of(request))
    working = asyncio.ensure_future(_in_turn(request, owner, task, arguments))
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise HTTPException(408, "the caller has left")
        return working.result()
    finally:
        for each in (working, leaving):
            each.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await each


async def have_registered(request: Request, task: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The version that a task registers. It goes on when the caller leaves.

    :raises WorkerError: for whatever failed.
    """
    server = server_of(request)
    async with server.registering_turns.turn(owner_of(caller_of(request))):
        document: Mapping[str, Any] = await server.quick.run(task, arguments, actor_of(request))
    return document


async def _in_turn(request: Request, owner: str, task: str, arguments: Mapping[str, Any]) -> Any:
    server = server_of(request)
    async with server.turns.turn(owner):
        return await server.looking.run(task, arguments, actor_of(request))


async def _left(request: Request) -> None:
    """Ends when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
