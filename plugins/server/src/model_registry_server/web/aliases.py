"""Moving aliases, and taking that back."""

from __future__ import annotations

from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry.errors import InvalidNameError
from model_registry_server.api import facts, schemas
from model_registry_server.api.permission import allow
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import model_url
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)


@router.post("/ui/models/{name:model}/aliases")
@allow(Role.WRITER)
async def set_alias(request: Request, name: str) -> Response:
    """Let an alias name a version."""
    fields = await fields_of(request)
    alias, version = fields.get("alias", "").strip(), fields.get("version", "").strip()
    if not alias or not version:
        raise InvalidNameError("an alias and a version are needed", hint="write both", value=alias)
    request.state.noted["alias"] = alias
    await run_sync(partial(facts.set_alias, request, name, alias, schemas.VersionChoice(version=version)))
    return see_other(model_url(name, done="alias_moved", alias=alias, version=version))


@router.post("/ui/models/{name:model}/aliases/{alias:part}/undo")
@allow(Role.WRITER)
async def undo_alias(request: Request, name: str, alias: str) -> Response:
    """Take back the last change of an alias."""
    await run_sync(partial(facts.undo_alias, request, name, alias))
    return see_other(model_url(name, done="alias_undone", alias=alias))


@router.post("/ui/models/{name:model}/aliases/{alias:part}/delete")
@allow(Role.WRITER)
async def delete_alias(request: Request, name: str, alias: str) -> Response:
    """Forget an alias."""
    await run_sync(partial(facts.delete_alias, request, name, alias))
    return see_other(model_url(name, done="alias_deleted", alias=alias))
