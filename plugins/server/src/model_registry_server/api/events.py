"""What changes in the registry, told while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from model_registry import Event
from model_registry.documents import plain
from model_registry_server.api import schemas
from model_registry_server.api.facts import visible
from model_registry_server.api.permission import Route, allow, caller_of, server_of
from model_registry_server.api.streams import event, streamed
from model_registry_server.security.roles import Role
from model_registry_server.server import Server

router = APIRouter(route_class=Route, tags=["facts"])

#: Seconds between two looks: what other processes change in the registry, nobody tells.
_INTERVAL = 0.5
_MOST = 1000


@router.get("/events", response_class=StreamingResponse, responses=schemas.EVENTS)
@allow(Role.READER)
async def follow_events(
    request: Request,
    last_event_id: Annotated[str | None, Header(description="Go on after this one", examples=["17"])] = None,
    after: Annotated[int | None, Query(ge=0, lt=1 << 63, description="The same, where no header can be sent")] = None,
) -> Response:
    """Follow the changes of the registry by server-sent events, each with the number that it has in the history."""
    server, caller = server_of(request), caller_of(request)
    said = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 19 else None
    start = said if said is not None else after
    newest = await run_sync(server.answers.revision) if start is None else start

    async def changes() -> AsyncIterator[str]:
        last = newest
        yield ": the changes of the registry\n\n"
        while True:
            news = await run_sync(_since, server, last)
            for each in visible(news, caller):
                yield event(each.action, plain(each), each.id)
            last = news[-1].id if news else last
            await asyncio.sleep(_INTERVAL)

    return streamed(request, changes())


def _since(server: Server, last: int) -> list[Event]:
    """The changes after one, the oldest first."""
    if server.answers.revision() <= last:
        return []
    found: list[Event] = []
    before: int | None = None
    while True:
        page = server.registry.history(before=before, limit=_MOST)
        news = [each for each in page if each.id > last]
        found += news
        if len(news) < _MOST:
            return found[::-1]
        before = news[-1].id
