"""Models and versions: what there is, and what is known of it."""

from __future__ import annotations

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import InvalidOptionError
from model_registry_server import documents
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.parameters import Cursor, Limit, Version
from model_registry_server.api.permission import Route, allow, caller_of, server_of
from model_registry_server.api.quick import look
from model_registry_server.api.verifying import verify
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["models"])

#: Tensors, and modules, that are told of at once.
MOST_INSIDE = 10_000


@router.get("/models", response_model=schemas.VersionPage)
@allow(Role.READER)
async def list_models(
    request: Request,
    name: Annotated[str | None, Query(description="A name, or a pattern with * and ?", examples=["team-a/*"])] = None,
    type: Annotated[str | None, Query(description="The type of model", examples=["classification"])] = None,
    format: Annotated[str | None, Query(description="The format", examples=["pytorch"])] = None,
    removed: Annotated[bool, Query(description="Those that can be restored, instead of the visible ones")] = False,
    limit: Limit = 50,
    after: Cursor = None,
) -> Response:
    """List the versions of all models, by name, then version."""
    server, caller = server_of(request), caller_of(request)

    def make() -> documents.Document:
        filters = {"name": name, "model_type": type, "model_format": format, "removed": removed}
        return documents.page_of_models(server.registry, caller, after, limit, **filters)

    return await server.answers.get(request, make)


@router.get("/search", response_model=schemas.VersionPage)
@allow(Role.READER)
async def search(
    request: Request,
    query: Annotated[
        str, Query(description="See docs/reference/search.md", examples=["metrics.accuracy >= 0.97 order by size"])
    ] = "",
    limit: Limit = 50,
    after: Cursor = None,
) -> Response:
    """Find versions by a query. A page may be shorter than its limit; the last one has no cursor."""
    server, caller = server_of(request), caller_of(request)

    def make() -> documents.Document:
        return documents.page_of_search(server.registry, caller, query, after, limit)

    return await server.answers.get(request, make)


@router.get("/models/{name:model}/versions", response_model=schemas.VersionPage)
@allow(Role.READER)
async def list_versions(request: Request, name: str, limit: Limit = 50, after: Cursor = None) -> Response:
    """List the versions of a model, the lowest first."""
    server, caller = server_of(request), caller_of(request)

    def make() -> documents.Document:
        real = server.registry.resolve(name).name  # which must exist, and is no pattern
        return documents.page_of_models(server.registry, caller, after, limit, name=real)

    return await server.answers.get(request, make)


@router.get("/models/{name:model}/inside", response_model=schemas.Inside)
@allow(Role.READER)
async def look_inside(
    request: Request,
    name: str,
    version: Version = "latest",
    start: Annotated[int, Query(ge=0, lt=1 << 31, description="How many tensors and modules to leave out")] = 0,
) -> Response:
    """The tensors and modules of a version, read from its files without loading it: 10,000 of each, from `start` on."""
    server = server_of(request)
    entry = await run_sync(server.registry.resolve, name, version)
    arguments = {"name": entry.name, "version": entry.version, "start": start, "most": MOST_INSIDE}
    return await run_sync(answer, await look(request, "inside", arguments))


@router.get("/models/{name:model}/verify", response_model=schemas.Verified)
@allow(Role.READER)
async def verify_model(
    request: Request,
    name: str,
    version: Version = "latest",
    deep: Annotated[bool, Query(description="Read every byte again, also of files that did not change")] = False,
) -> Response:
    """Verify the files of a version against their digests."""
    entry = await run_sync(server_of(request).registry.resolve, name, version)
    return await run_sync(answer, await verify(request, entry, deep=deep))


@router.post("/models/{name:model}/restore", response_model=schemas.Restored)
@allow(Role.WRITER)
def restore_model(
    request: Request, name: str, version: Annotated[str | None, Query(description="Default: all of the model")] = None
) -> Response:
    """Bring back a version that was removed, or all of a model."""
    restored = server_of(request).registry.restore_model(name, version)
    request.state.noted.done()
    return answer({"restored": [documents.listed(entry, caller_of(request)) for entry in restored]})


@router.delete("/models/{name:whole}", response_model=schemas.Removed)
@allow(Role.WRITER)
def remove_model(
    request: Request,
    name: str,
    version: Annotated[
        str | None, Query(description="A version or alias. Default: the only one", examples=["1.0.0"])
    ] = None,
    all: Annotated[bool, Query(description="Every version of the model, however many there are")] = False,
) -> Response:
    """Remove a version, or with `all=true` a whole model. It can be restored for some days, if so configured.

    A model with several versions is removed only with ``all=true``, so that nobody loses them by leaving something out.
    """
    if all and version is not None:
        raise InvalidOptionError("«version» and «all» were both given", hint="give one of them", option="all")
    registry = server_of(request).registry
    chosen = registry.resolve(name, "latest" if version is None else version)
    entries = [chosen] if version is not None else registry.list_models(name=chosen.name)
    if len(entries) > 1 and not all:
        hint = f"say which: ?version={chosen.version}, or ?all=true for every one of them"
        raise InvalidOptionError(f"{chosen.name} has {len(entries)} versions", hint=hint, option="version")
    registry.remove_model(chosen.name, None if all else chosen.version)
    request.state.noted.done()
    removed: list[Any] = [documents.listed(entry, caller_of(request)) for entry in entries]
    return answer({"removed": removed, "restorable": registry.settings.backup_enabled})


@router.get("/models/{name:whole}", response_model=schemas.VersionDetails)
@allow(Role.READER)
async def get_model_info(request: Request, name: str, version: Version = "latest") -> Response:
    """All that is known of a version: the latest, unless another is named by version or alias."""
    server, caller = server_of(request), caller_of(request)

    def make() -> documents.Document:
        return documents.details(server.registry, server.registry.resolve(name, version), caller)

    return await server.answers.get(request, make)
