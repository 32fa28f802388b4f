"""Two versions beside each other."""

from __future__ import annotations

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.jobs import accepted
from model_registry_server.api.permission import Route, allow, caller_of, require, server_of
from model_registry_server.api.quick import look
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["models"])

Side = Annotated[str, Query(description="name, name:version or name@alias", examples=["digits:1.0.0"])]


@router.get("/compare", response_model=schemas.Comparison)
@allow(Role.READER)
async def compare(
    request: Request,
    a: Side,
    b: Side,
    differences: Annotated[bool, Query(description="Also how far the tensors are apart")] = False,
) -> Response:
    """How the version b differs from a. Neither is loaded."""
    sides = [await resolve(request, reference) for reference in (a, b)]
    arguments = {"a": sides[0].reference, "b": sides[1].reference, "differences": differences}
    return await run_sync(answer, await look(request, "compare", arguments))


@router.post("/parity", status_code=202, response_model=schemas.Job)
@allow(Role.READER, changes=False)
async def check_parity(request: Request, body: schemas.Parity) -> Response:
    """Run two versions on the same inputs, and say how well they agree."""
    sides = [await resolve(request, reference) for reference in (body.a, body.b)]
    arguments = {"a": sides[0].reference, "b": sides[1].reference}
    if body.tolerance is not None:
        arguments["tolerance"] = body.tolerance  # type: ignore[assignment]
    return await accepted(request, "parity", arguments, [side.name for side in sides])


async def resolve(request: Request, reference: str) -> ModelEntry:
    """The version that a text names, of a model that the caller may see."""
    name, colon, version = reference.partition(":")
    if not colon:
        name, at, alias = reference.partition("@")
        version = f"@{alias}" if at else "latest"
    require(caller_of(request), Role.READER, name)
    return await run_sync(server_of(request).registry.resolve, name, version)
