"""Removing, and bringing back."""

from __future__ import annotations

from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.api import models as api
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import model_url, page_url
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)


@router.post("/ui/models/{name:model}/remove")
@allow(Role.WRITER)
async def remove_model(request: Request, name: str) -> Response:
    """Remove a version, or all of a model."""
    version = (await fields_of(request)).get("version") or None
    if version is not None:
        request.state.noted["subject"] = f"{name}:{version}"
    await run_sync(partial(api.remove_model, request, name, version))
    left = await run_sync(server_of(request).registry.get_model_info, name)
    return see_other(model_url(name, done="removed") if left is not None else page_url("/ui/removed", done="removed"))


@router.post("/ui/models/{name:model}/restore")
@allow(Role.WRITER)
async def restore_model(request: Request, name: str) -> Response:
    """Bring back a version, or all of a model."""
    version = (await fields_of(request)).get("version") or None
    if version is not None:
        request.state.noted["subject"] = f"{name}:{version}"
    await run_sync(partial(api.restore_model, request, name, version))
    return see_other(model_url(name, done="restored"))
