"""Taking versions that another registry made, whose clients send only the blobs that are not here."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, actor_of, allow, caller_of, server_of
from model_registry_server.api.uploads import upload_of
from model_registry_server.security.moments import aware
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["uploads"])


@router.post("/models/{name:model}/missing", response_model=schemas.Missing)
@allow(Role.WRITER, changes=False)
def missing_blobs(request: Request, name: str, body: schemas.Offered) -> Response:
    """Which of these blobs would have to be sent to register a version of this model here.

    A token that is not for every model is told of those alone that this model has already.
    """
    server, caller = server_of(request), caller_of(request)
    stored = server.registry.stored_blobs(body.blobs, name=None if caller.sees_all else name)
    return answer({"missing": sorted(body.blobs.keys() - stored), "version": server.registry.next_version(name)})


@router.post("/models/{name:model}/receive", status_code=201, response_model=schemas.Version)
@allow(Role.WRITER)
async def receive_version(request: Request, name: str, body: schemas.Receive) -> Response:
    """Register a version that another registry made, of which the missing blobs were uploaded under their digests."""
    server, caller = server_of(request), caller_of(request)
    files: dict[str, str] = {}
    if body.upload is not None:
        upload = await run_sync(upload_of, request, body.upload)
        files = {file.sha256: str(file.file) for file in await run_sync(server.uploads.finish, upload.id)}
    arguments = {
        "name": name,
        "digest": body.digest,
        "files": files,
        "records": body.records,
        "exist_ok": body.exist_ok,
        "registered_at": None if body.registered_at is None else aware(body.registered_at).isoformat(),
        "borrow": caller.sees_all,
    }
    document = await server.quick.run("receive", arguments, actor_of(request))
    request.state.noted.update(subject=document["reference"], digest=document["digest"])
    if body.upload is not None:
        await run_sync(server.uploads.discard, body.upload)
    return answer(document, 201)
