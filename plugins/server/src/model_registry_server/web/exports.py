"""Downloads, and what is made of a version."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from model_registry.errors import InvalidOptionError
from model_registry_server.api import downloads, schemas
from model_registry_server.api import exports as api
from model_registry_server.api.parameters import Version
from model_registry_server.api.permission import allow
from model_registry_server.errors import ForbiddenError
from model_registry_server.security.hosts import is_from_afar
from model_registry_server.security.roles import Role
from model_registry_server.transfer.archives import Archive
from model_registry_server.web.forms import fields_of, given
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)


@router.get("/ui/models/{name:model}/download")
@allow(Role.READER)
async def download(
    request: Request,
    name: str,
    version: Version = "latest",
    path: Annotated[str | None, Query()] = None,
    archive: Annotated[Archive | None, Query()] = None,
) -> Response:
    """Download a version, or one of its files."""
    return await downloads.download(request, name, version, path, archive)


@router.get("/ui/models/{name:model}/export")
@allow(Role.READER)
async def export_model(
    request: Request,
    name: str,
    format: Annotated[str, Query(max_length=100)],
    version: Version = "latest",
    check: bool = True,
) -> Response:
    """Download a version in another format: now if that was made before, else there is a job to wait for.

    :raises ForbiddenError: for a link of another site, which may lead to pages, and start no work.
    """
    if is_from_afar(request.scope["headers"]):
        hint = "open the version's page, and export it there"
        raise ForbiddenError("a page of another site may not start an export", hint=hint)
    response = await api.export_model(request, name, version, format, check, archive=None)
    return job_page(response) if response.status_code == 202 else response


@router.post("/ui/models/{name:model}/convert")
@allow(Role.WRITER)
async def convert_model(request: Request, name: str) -> Response:
    """Register what another format is made of a version."""
    fields = await fields_of(request)
    said: dict[str, Any] = given(fields, "version", "to", "new_name", "new_version")
    if "to" not in said:
        raise InvalidOptionError("the format is missing", hint="choose one", option="to")
    body = schemas.Convert(**said, check=fields.get("check") == "on")
    return job_page(await api.convert_model(request, name, body))


@router.post("/ui/models/{name:model}/compress")
@allow(Role.WRITER)
async def compress_model(request: Request, name: str) -> Response:
    """Register a smaller model made of a version."""
    said: dict[str, Any] = given(await fields_of(request), "version", "compression", "new_name", "new_version")
    if "compression" not in said:
        raise InvalidOptionError("the kind of compression is missing", hint="choose one", option="compression")
    return job_page(await api.compress_model(request, name, schemas.Compress(**said)))


def job_page(response: Response) -> Response:
    """The page of the job that an answer of the API leads to."""
    return see_other(f"/ui/jobs/{response.headers['location'].rpartition('/')[2]}")
