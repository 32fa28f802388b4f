"""What callers change, into the audit log: that it has begun, and what became of it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from anyio import CancelScope
from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from starlette.requests import ClientDisconnect

from model_registry import ModelRegistryError, StorageError
from model_registry_server.errors import ForbiddenError
from model_registry_server.jobs.failures import WorkerDiedError, WorkerError
from model_registry_server.security.roles import Caller
from model_registry_server.security.undertakings import Outcome
from model_registry_server.server import Server

logger = logging.getLogger("model_registry.server")

_LONGEST_SUBJECT = 400
_LONGEST_DETAIL = 400
#: Errors that are told before anything is changed, or after it was undone; a client that leaves is noticed only while
#: its body is read.
_NOTHING_CHANGED = (ModelRegistryError, WorkerError, HTTPException, RequestValidationError, ClientDisconnect)


class Noted(dict[str, Any]):
    """What the log is to tell of a request: its ``subject``, and any details.

    :ivar is_done: What was asked for is done: the log tells so, whatever fails after it.
    :ivar is_nothing: Nothing had to be changed, and the log tells nothing.
    """

    number = 0
    action = ""
    is_done = False
    is_nothing = False

    def done(self, **facts: Any) -> None:
        """What was asked for is done."""
        self.update(facts)
        self.is_done = True


async def noted(
    server: Server, request: Request, caller: Caller, action: str, serve: Callable[[Request], Awaitable[Response]]
) -> Response:
    """The answer to a request that may change something."""
    said: Noted = request.state.noted
    said.action = action
    said.number = await server.undertakings.begun(caller.name, action, _outcome(request).subject, caller.address)
    try:
        response = await serve(request)
    except BaseException as error:
        with CancelScope(shield=True):
            await _failed(server, request, caller, error)
        raise
    told = said.is_done or (response.status_code < 400 and not said.is_nothing)
    await server.undertakings.settle(said.number, _outcome(request) if told else None)
    return response


async def _failed(server: Server, request: Request, caller: Caller, error: BaseException) -> None:
    said: Noted = request.state.noted
    if said.is_done:
        await server.undertakings.settle(said.number, _outcome(request))
    elif isinstance(error, _NOTHING_CHANGED) and not isinstance(error, WorkerDiedError):
        await server.undertakings.settle(said.number, None)
        if isinstance(error, ForbiddenError):
            await note_refusal(server, request, caller, said.action)
    else:
        await _interrupted(server, said.number, _outcome(request).subject)


async def _interrupted(server: Server, number: int, subject: str) -> None:
    try:
        await run_sync(server.undertakings.interrupt, number, subject)
    except StorageError:  # the next server tells it; the first error is the one to raise
        logger.exception("a change was broken off, and could not be noted")


async def note_refusal(server: Server, request: Request, caller: Caller, action: str) -> None:
    """Somebody wanted to change something, and may not."""
    request.state.noted.action = f"{action}.refused"
    try:
        await run_sync(server.attempts.note, caller.owner, caller.name, _outcome(request), caller.address)
    except StorageError:  # the refusal itself is what the caller has to know
        logger.exception("a refusal could not be noted")


def noted_within(server: Server, request: Request, db: sqlite3.Connection) -> None:
    """Note a change of the server's own state in the transaction that makes it: either both are kept, or none."""
    server.undertakings.end_within(db, request.state.noted.number, _outcome(request))


def _outcome(request: Request) -> Outcome:
    params, said = request.path_params, request.state.noted
    facts = dict(said)
    query = request.query_params
    subject = facts.pop("subject", None) or next((str(value) for value in params.values()), query.get("name", ""))
    version = query.get("version")
    if version and ":" not in subject:
        subject = f"{subject}:{version}"
    told = {**params, **facts}
    return Outcome(said.action, subject[:_LONGEST_SUBJECT], {key: _detail(value) for key, value in told.items()})


def _detail(value: Any) -> Any:
    if isinstance(value, list):
        return [_detail(each) for each in value]
    return value if isinstance(value, int) else str(value)[:_LONGEST_DETAIL]
