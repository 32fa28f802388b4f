"""Taking versions that another registry made, whose clients send only the blobs that are not here."""

from __future__ import annotations

from collections.abc import Mapping

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, allow, caller_of, server_of
from model_registry_server.api.quick import have_registered
from model_registry_server.api.uploads import require_own
from model_registry_server.request_folders import folder_of_request
from model_registry_server.security.moments import aware
from model_registry_server.security.roles import Role
from model_registry_server.transfer.layout import Came, laid_out

router = APIRouter(route_class=Route, tags=["uploads"])


@router.post("/models/{name:model}/missing", response_model=schemas.Missing)
@allow(Role.WRITER, changes=False)
def missing_blobs(request: Request, name: str, body: schemas.Offered) -> Response:
    """Which of these blobs would have to be sent to register a version of this model here.

    A token that is not for every model is told of those alone that this model has already.
    """
    server, caller = server_of(request), caller_of(request)
    stored = server.registry.stored_blobs(body.blobs, name=None if caller.sees_all else name)
    return answer({"missing": sorted(body.blobs.keys() - stored)})


@router.get("/models/{name:model}/next-version", response_model=schemas.NextVersion)
@allow(Role.WRITER)
def next_version(request: Request, name: str) -> Response:
    """The number that the next version gets if none is said, and nobody is faster."""
    return answer({"version": server_of(request).registry.next_version(name)})


@router.post("/models/{name:model}/receive", status_code=201, response_model=schemas.Version)
@allow(Role.WRITER)
async def receive_version(request: Request, name: str, body: schemas.Receive) -> Response:
    """Register a version that another registry made, of which the missing blobs were uploaded under their digests."""
    server = server_of(request)
    if body.upload is None:
        return await _receive(request, name, body, {})
    await run_sync(require_own, request, body.upload)
    async with server.finishing(body.upload), folder_of_request(server) as folder:
        files = {file.sha256: file for file in await run_sync(server.uploads.finish, body.upload)}
        came = [Came(sha256, file.file, sha256) for sha256, file in files.items()]
        _, digests = await run_sync(lambda: laid_out(folder / "blobs", came, stays=True))
        paths = {sha256: str(path) for path, sha256 in digests.items()}
        response = await _receive(request, name, body, paths)
        await run_sync(server.uploads.discard, body.upload)
    return response


async def _receive(request: Request, name: str, body: schemas.Receive, files: Mapping[str, str]) -> Response:
    """:param files: Paths of what was sent, by SHA-256."""
    arguments = {
        "name": name,
        "digest": body.digest,
        "files": dict(files),
        "records": body.records,
        "exist_ok": body.exist_ok,
        "registered_at": None if body.registered_at is None else aware(body.registered_at).isoformat(),
        "borrow": caller_of(request).sees_all,
    }
    document = await have_registered(request, "receive", arguments)
    request.state.noted.done(subject=document["reference"], digest=document["digest"])
    return answer(document, 201)
