"""Verifying a version in a worker process, and remembering what was found."""

from __future__ import annotations

from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request

from model_registry import IntegrityError, ModelEntry
from model_registry_server.api.permission import server_of
from model_registry_server.api.quick import look
from model_registry_server.jobs.failures import WorkerError


async def verify(request: Request, entry: ModelEntry, *, deep: bool) -> Any:
    """Compare the files of a version with their digests. That every byte was read is remembered, and so is any damage.

    :param deep: Read every byte again, also of files that did not change.
    :raises WorkerError: for whatever failed: an IntegrityError if a file cannot be what was registered.
    """
    note = partial(server_of(request).verified.note, entry.digest)
    try:
        told = await look(request, "verify", {"name": entry.name, "version": entry.version, "deep": deep})
    except WorkerError as error:
        if isinstance(error.original(), IntegrityError):
            await run_sync(partial(note, intact=False))
        raise
    if deep or not told["intact"]:
        await run_sync(partial(note, intact=bool(told["intact"])))
    return told
