"""Moving aliases, and taking that back."""

from __future__ import annotations

from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry import ModelRegistry
from model_registry.errors import InvalidNameError
from model_registry_server.api import facts, schemas
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import model_url
from model_registry_server.web.forms import fields_of
from model_registry_server.web.model import last_move
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)

#: Instead of the id of a move that was overtaken by another at once: no event has it.
_OVERTAKEN = 0


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
    version = request.state.noted["version"]
    move = await run_sync(_move_to, server_of(request).registry, name, alias, version)
    return see_other(model_url(name, done="alias_moved", alias=alias, version=version, move=move))


@router.post("/ui/models/{name:model}/aliases/{alias:part}/undo")
@allow(Role.WRITER)
async def undo_alias(request: Request, name: str, alias: str) -> Response:
    """Take back the last change of an alias, if it is still the one that the reader saw."""
    seen = (await fields_of(request)).get("move", "")
    await run_sync(partial(facts.undo_alias, request, name, alias, _id_of(seen)))
    return see_other(model_url(name, done="alias_undone", alias=alias))


def _id_of(seen: str) -> int | None:
    if not seen:
        return None
    return int(seen) if seen.isdecimal() and len(seen) < 20 else _OVERTAKEN


def _move_to(registry: ModelRegistry, name: str, alias: str, version: str) -> str:
    """What tells the move that was made just now from later ones."""
    moved = last_move(registry, name, alias)
    is_ours = moved is not None and isinstance(moved.after, dict) and moved.after.get("version") == version
    return str(moved.id if moved is not None and is_ours else _OVERTAKEN)


@router.post("/ui/models/{name:model}/aliases/{alias:part}/delete")
@allow(Role.WRITER)
async def delete_alias(request: Request, name: str, alias: str) -> Response:
    """Forget an alias."""
    await run_sync(partial(facts.delete_alias, request, name, alias))
    return see_other(model_url(name, done="alias_deleted", alias=alias))
