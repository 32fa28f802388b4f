"""What of models and versions can change: aliases, tags, descriptions, links; and what was changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, Any

from attrs import evolve
from fastapi import APIRouter, Query, Request, Response

from model_registry import Event, Parent
from model_registry_server import documents
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.parameters import Version
from model_registry_server.api.permission import Route, allow, caller_of, require, server_of
from model_registry_server.errors import NotFoundError
from model_registry_server.security.roles import Caller, Role

router = APIRouter(route_class=Route, tags=["facts"])

#: Of what was and is in a page of the history; at least one event is told.
_MOST_BYTES = 4 << 20
#: Events that are read at once: each may hold hundreds of kilobytes.
_FEW = 10

OptionalVersion = Annotated[str | None, Query(description="A version or alias. Default: the model itself")]


@router.get("/models/{name:model}/aliases", response_model=schemas.Aliases)
@allow(Role.READER)
def list_aliases(request: Request, name: str) -> Response:
    """The versions that the aliases of a model name."""
    return answer({"aliases": server_of(request).registry.aliases(name)})


@router.get("/models/{name:model}/aliases/{alias:part}", response_model=schemas.AliasSet)
@allow(Role.READER)
def get_alias(request: Request, name: str, alias: str) -> Response:
    """The version that an alias names."""
    entry = server_of(request).registry.resolve(name, f"@{alias}")
    return answer({**documents.listed(entry, caller_of(request)), "alias": alias})


@router.put("/models/{name:model}/aliases/{alias:part}", response_model=schemas.AliasSet)
@allow(Role.WRITER)
def set_alias(request: Request, name: str, alias: str, body: schemas.VersionChoice) -> Response:
    """Let an alias name a version."""
    entry = server_of(request).registry.set_alias(name, alias, body.version)
    request.state.noted.done(version=entry.version)
    return answer({**documents.listed(entry, caller_of(request)), "alias": alias})


@router.delete("/models/{name:model}/aliases/{alias:part}", response_model=schemas.Deleted)
@allow(Role.WRITER)
def delete_alias(request: Request, name: str, alias: str) -> Response:
    """Forget an alias."""
    if not server_of(request).registry.delete_alias(name, alias):
        raise NotFoundError(f"{name} has no alias {alias!r}", hint="GET …/aliases lists them", id=alias)
    return answer({"deleted": alias})


@router.post("/models/{name:model}/aliases/{alias:part}/undo", response_model=schemas.AliasUndone)
@allow(Role.WRITER)
def undo_alias(
    request: Request,
    name: str,
    alias: str,
    expected: Annotated[int | None, Query(ge=0, lt=1 << 63, description="The id of the alias's newest event")] = None,
) -> Response:
    """Take back the last change of an alias; again, the one before it. Not if it is another one than is expected."""
    entry = server_of(request).registry.undo_alias(name, alias, expected=expected)
    request.state.noted.done()
    told = None if entry is None else documents.listed(entry, caller_of(request))
    return answer({"alias": alias, "version": told})


@router.post("/models/{name:model}/aliases/{alias:part}/rollback", response_model=schemas.AliasSet)
@allow(Role.WRITER)
def rollback(request: Request, name: str, alias: str) -> Response:
    """Let an alias name what it named before."""
    entry = server_of(request).registry.rollback(name, alias)
    request.state.noted.done()
    return answer({**documents.listed(entry, caller_of(request)), "alias": alias})


@router.get("/models/{name:model}/tags", response_model=schemas.Tags)
@allow(Role.READER)
def list_tags(request: Request, name: str, version: OptionalVersion = None) -> Response:
    """The tags of a version, or of the model itself."""
    return answer({"tags": server_of(request).registry.tags(name, version)})


@router.get("/models/{name:model}/tags/{key:part}", response_model=schemas.Tag)
@allow(Role.READER)
def get_tag(request: Request, name: str, key: str, version: OptionalVersion = None) -> Response:
    """The value of a tag."""
    tags = server_of(request).registry.tags(name, version)
    if key not in tags:
        raise NotFoundError(f"{name} has no tag {key!r:.200}", hint="GET …/tags lists them", id=key)
    return answer({"key": key, "value": tags[key]})


@router.put("/models/{name:model}/tags/{key:part}", response_model=schemas.Tags)
@allow(Role.WRITER)
def set_tag(request: Request, name: str, key: str, body: schemas.TagValue, version: OptionalVersion = None) -> Response:
    """Give a version, or the model itself, a tag."""
    registry = server_of(request).registry
    registry.set_tag(name, key, body.value, version)
    request.state.noted.done()
    return answer({"tags": registry.tags(name, version)})


@router.delete("/models/{name:model}/tags/{key:part}", response_model=schemas.Deleted)
@allow(Role.WRITER)
def delete_tag(request: Request, name: str, key: str, version: OptionalVersion = None) -> Response:
    """Take a tag away."""
    if not server_of(request).registry.delete_tag(name, key, version):
        raise NotFoundError(f"{name} has no tag {key!r}", hint="GET …/tags lists them", id=key)
    return answer({"deleted": key})


@router.get("/models/{name:model}/description", response_model=schemas.Description)
@allow(Role.READER)
def get_description(request: Request, name: str) -> Response:
    """The description of a model itself; that of a version is told with the version."""
    return answer({"description": server_of(request).registry.description(name)})


@router.put("/models/{name:model}/description", response_model=schemas.Description)
@allow(Role.WRITER)
def describe(request: Request, name: str, body: schemas.Description, version: OptionalVersion = None) -> Response:
    """Edit the description of a version, or of the model itself. null goes back to what was registered."""
    server_of(request).registry.describe(name, body.description, version)
    return answer({"description": body.description})


@router.post("/models/{name:model}/parents", response_model=schemas.Linked)
@allow(Role.WRITER)
def link(request: Request, name: str, body: schemas.Link) -> Response:
    """Say what a registered version comes from."""
    _require_parent(request, body.parent)
    parent = server_of(request).registry.link(name, body.version, _parent(body.parent), body.relation)
    return answer({"parent": parent})


@router.delete("/models/{name:model}/parents", response_model=schemas.Unlinked)
@allow(Role.WRITER)
def unlink(request: Request, name: str, body: schemas.Link) -> Response:
    """Take back what was said so; what the version itself says stays."""
    _require_parent(request, body.parent)
    parent = _parent(body.parent)
    return answer({"unlinked": server_of(request).registry.unlink(name, body.version, parent, body.relation)})


@router.get("/models/{name:model}/lineage", response_model=schemas.LineageNode)
@allow(Role.READER)
def lineage(
    request: Request,
    name: str,
    version: Version = "latest",
    depth: Annotated[int, Query(ge=0, le=200, description="Levels in each direction")] = 100,
) -> Response:
    """What a version comes from, and what comes from it."""
    node = server_of(request).registry.lineage(name, version, depth=depth)
    return answer(documents.lineage(node, caller_of(request)))


@router.get("/models/{name:model}/history", response_model=schemas.Events)
@allow(Role.READER)
def history_of_model(
    request: Request,
    name: str,
    version: Annotated[str | None, Query(description="Only of this version")] = None,
    alias: Annotated[str | None, Query(description="Only the moves of this alias")] = None,
    before: Annotated[int | None, Query(ge=0, lt=1 << 63, description="The id of the last event before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """What was changed of a model, when and by whom; the newest first. Also of one that is gone."""
    read = partial(server_of(request).registry.history, name, version, alias=alias)
    return answer(_page(read, before, limit, caller_of(request)))


@router.get("/history", response_model=schemas.Events)
@allow(Role.READER)
def history(
    request: Request,
    before: Annotated[int | None, Query(ge=0, lt=1 << 63, description="The id of the last event before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """What was changed, when and by whom, of the models that the caller may see; the newest first."""
    return answer(_page(server_of(request).registry.history, before, limit, caller_of(request)))


def _page(read: Callable[..., list[Event]], before: int | None, limit: int, caller: Caller) -> dict[str, Any]:
    """Events, up to a number and an amount of text; ``before`` takes its cursor, also where none of it is seen."""
    found: list[Event] = []
    size, more = 0, False
    for event in _events(read, before, min(limit + 1, _FEW)):
        if len(found) == limit or size > _MOST_BYTES:
            more = True
            break
        found.append(event)
        size += documents.bytes_of(event.before) + documents.bytes_of(event.after)
    return {"events": visible(found, caller), "more": more, "cursor": found[-1].id if more else None}


def _events(read: Callable[..., list[Event]], before: int | None, step: int) -> Iterator[Event]:
    """All before one, a few at a time."""
    while events := read(before=before, limit=step):
        yield from events
        before = events[-1].id


def visible(events: Iterable[Event], caller: Caller) -> list[Event]:
    """Those events that are about models which the caller may see, without the names of others."""
    return [
        evolve(event, before=_told(event.before, caller), after=_told(event.after, caller))
        for event in events
        if caller.may(Role.READER, event.model)
    ]


def _told(value: Any, caller: Caller) -> Any:
    """What was or is, unless it is a parent that the caller may not see."""
    hidden = isinstance(value, dict) and "name" in value and not caller.may(Role.READER, str(value["name"]))
    return None if hidden else value


def _require_parent(request: Request, given: Any) -> None:
    name = given.name if isinstance(given, schemas.ParentRecord) else str(given).partition(":")[0].partition("@")[0]
    require(caller_of(request), Role.READER, name)


def _parent(given: str | schemas.ParentRecord) -> str | Parent:
    return given if isinstance(given, str) else Parent(**given.model_dump())
