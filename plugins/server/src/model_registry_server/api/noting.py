"""What callers change, into the audit log: that it has begun, and what became of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

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


async def noted(
    server: Server, request: Request, caller: Caller, action: str, serve: Callable[[Request], Awaitable[Response]]
) -> Response:
    """The answer to a request that may change something."""
    subject = _outcome(request, action).subject
    number = await run_sync(server.undertakings.begin, caller.name, action, subject, caller.address)
    outcome: Outcome | None = None
    try:
        response = await serve(request)
        if response.status_code < 400:
            outcome = _outcome(request, action)
    except ForbiddenError:
        await run_sync(server.undertakings.end, number, _outcome(request, f"{action}.refused"))
        raise
    except WorkerDiedError:
        await _interrupted(server, number)
        raise
    except _NOTHING_CHANGED:
        done = "digest" in request.state.noted  # what failed came after the version
        await run_sync(server.undertakings.end, number, _outcome(request, action) if done else None)
        raise
    except BaseException:
        await _interrupted(server, number)
        raise
    await run_sync(server.undertakings.end, number, outcome)
    return response


async def _interrupted(server: Server, number: int) -> None:
    try:
        with CancelScope(shield=True):
            await run_sync(server.undertakings.interrupt, number)
    except StorageError:  # the next server tells it; the first error is the one to raise
        logger.exception("a change was broken off, and could not be noted")


async def note_refusal(server: Server, request: Request, caller: Caller, action: str) -> None:
    """Somebody wanted to change something, and may not."""
    told = _outcome(request, f"{action}.refused")
    record = partial(server.audit.record, caller.name, told.action, told.subject, told.details, caller.address)
    await run_sync(record)


def _outcome(request: Request, action: str) -> Outcome:
    params = request.path_params
    facts = dict(request.state.noted)
    subject = facts.pop("subject", None) or next((str(value) for value in params.values()), "")
    version = request.query_params.get("version")
    if version and ":" not in subject:
        subject = f"{subject}:{version}"
    said = {**params, **facts}
    details = {key: value if isinstance(value, int) else str(value)[:_LONGEST_DETAIL] for key, value in said.items()}
    return Outcome(action, subject[:_LONGEST_SUBJECT], details)
