"""Folders for what comes with a request, each of which ends with it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request

from model_registry_server.server import Server
from model_registry_server.transfer.announced import announced_length
from model_registry_server.transfer.incoming import Take


@asynccontextmanager
async def folder_of_request(server: Server) -> AsyncIterator[Path]:
    """A new folder, on the registry's file system, so that files move into it without being copied."""
    folder = server.incoming / secrets.token_hex(16)
    await run_sync(lambda: folder.mkdir(mode=0o700))
    try:
        yield folder
    finally:
        await run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


@asynccontextmanager
async def folder_of_body(server: Server, request: Request, slack: int) -> AsyncIterator[tuple[Path, Take]]:
    """The same for a body that is on its way, and what is asked before bytes of its files are kept.

    :param slack: Bytes of the body that may be no file's.
    :raises TooLargeError: if the request says that there are more.
    """
    announced = announced_length(request.headers) or 0
    with server.quota.body() as body:
        await body.require(max(announced - slack, 0))
        async with folder_of_request(server) as folder:
            yield folder, body.take
