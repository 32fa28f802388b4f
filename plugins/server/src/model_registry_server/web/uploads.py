"""Uploading: a form, which a script makes a place to drop files on; large files in parts."""

from __future__ import annotations

import json
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Request, Response

from model_registry_server.api import schemas, upload
from model_registry_server.api import uploads as api
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import version_url
from model_registry_server.web.page import PageRoute, see_other, wants_json
from model_registry_server.web.rendering import render
from model_registry_server.web.uses import references

router = APIRouter(route_class=PageRoute)


@router.get("/ui/upload")
@allow(Role.WRITER)
def ask_for_files(request: Request) -> Response:
    """Ask for files and what they are."""
    server = server_of(request)
    formats = [spec for spec in server.registry.formats().values() if spec.storable]
    return render(request, "upload.html", formats=formats, known=references(server, caller_of(request)))


@router.post("/ui/upload")
@allow(Role.WRITER, streams=True)
async def upload_model(request: Request) -> Response:
    """Register what came, or what came in parts before."""
    response = await upload.upload_model(request)
    if wants_json(request):
        return response
    document = json.loads(bytes(response.body))
    return see_other(version_url(document["name"], document["version"], done="uploaded"))


@router.post("/ui/uploads")
@allow(Role.WRITER)
async def begin_upload(request: Request, body: schemas.NewUpload) -> Response:
    """Begin to send files in parts."""
    return await run_sync(api.begin_upload, request, body)


@router.get("/ui/uploads/{id:part}")
@allow(Role.WRITER)
async def get_upload(request: Request, id: str) -> Response:
    """How far an upload has come."""
    return await run_sync(api.get_upload, request, id)


@router.patch("/ui/uploads/{id:part}/files/{number}")
@allow(Role.WRITER, changes=False, streams=True)
async def append_to_upload(
    request: Request, id: str, number: Annotated[int, schemas.NUMBER], upload_offset: Annotated[int, Header(ge=0)]
) -> Response:
    """Send a part of a file."""
    return await api.append_to_upload(request, id, number, upload_offset, False)


@router.delete("/ui/uploads/{id:part}")
@allow(Role.WRITER)
async def discard_upload(request: Request, id: str) -> Response:
    """Throw an upload away."""
    return await run_sync(api.discard_upload, request, id)
