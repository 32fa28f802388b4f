"""Editing what of a model or a version can be edited: its tags and its description."""

from __future__ import annotations

from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.api import facts, schemas
from model_registry_server.api.permission import allow
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import model_url, version_url
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)


@router.post("/ui/models/{name:model}/tags")
@allow(Role.WRITER)
async def set_tag(request: Request, name: str) -> Response:
    """Give a model, or a version, a tag."""
    fields = await fields_of(request)
    key, version = fields.get("key", "").strip(), fields.get("version") or None
    value = schemas.TagValue(value=fields.get("value", "").strip()[:10_000])
    request.state.noted.update(key=key, version=version)
    await run_sync(partial(facts.set_tag, request, name, key, value, version))
    return _back(name, version, "tag_set")


@router.post("/ui/models/{name:model}/tags/delete")
@allow(Role.WRITER)
async def delete_tag(request: Request, name: str) -> Response:
    """Take a tag away."""
    fields = await fields_of(request)
    key, version = fields.get("key", ""), fields.get("version") or None
    request.state.noted.update(key=key, version=version)
    await run_sync(partial(facts.delete_tag, request, name, key, version))
    return _back(name, version, "tag_deleted")


@router.post("/ui/models/{name:model}/description")
@allow(Role.WRITER)
async def describe(request: Request, name: str) -> Response:
    """Edit a description; an empty one goes back to what was registered."""
    fields = await fields_of(request)
    version, text = fields.get("version") or None, fields.get("description", "").strip()
    request.state.noted["version"] = version
    body = schemas.Description(description=text[:100_000] or None)
    await run_sync(partial(facts.describe, request, name, body, version))
    return _back(name, version, "described")


def _back(name: str, version: str | None, done: str) -> Response:
    return see_other(model_url(name, done=done) if version is None else version_url(name, version, done=done))
