"""What changes in the registry, told while it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from model_registry.documents import plain
from model_registry_server.api import schemas
from model_registry_server.api.facts import visible
from model_registry_server.api.permission import Route, allow, caller_of, server_of
from model_registry_server.api.streams import event, streamed
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["facts"])


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
    newest = await run_sync(server.answers.revision)
    # No later than now: a catalog that was put back gives numbers again that the client has seen.
    start = min(said if said is not None else newest if after is None else after, newest)

    async def changes() -> AsyncIterator[str]:
        yield ": the changes of the registry\n\n"
        async with aclosing(server.changes.follow(start)) as pages:
            async for page in pages:
                for each in visible(page, caller):
                    yield event(each.action, plain(each), each.id)

    return streamed(request, changes())
