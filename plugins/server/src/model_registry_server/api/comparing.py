"""Two versions beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.jobs import accepted
from model_registry_server.api.permission import Route, allow, caller_of, require, server_of
from model_registry_server.api.quick import look
from model_registry_server.documents import without_hidden_parents
from model_registry_server.jobs.comparing import LONG
from model_registry_server.security.roles import Caller, Role

router = APIRouter(route_class=Route, tags=["models"])

#: Tensors, files and modules that are told of at once.
MOST_COMPARED = 10_000

Side = Annotated[str, Query(description="name, name:version or name@alias", examples=["digits:1.0.0"])]


@router.get("/compare", response_model=schemas.Comparison)
@allow(Role.READER)
async def compare(
    request: Request,
    a: Side,
    b: Side,
    differences: Annotated[bool, Query(description="Also how far the tensors are apart")] = False,
    start: Annotated[int, Query(ge=0, lt=1 << 31, description="How many tensors, files and modules to leave out")] = 0,
) -> Response:
    """How the version b differs from a: 10,000 tensors, files and modules from `start` on. Neither is loaded."""
    sides = [await resolve(request, reference) for reference in (a, b)]
    starts = dict.fromkeys(LONG, start)
    told = await comparison(request, *sides, differences=differences, starts=starts, most=MOST_COMPARED)
    return await run_sync(answer, told)


@router.post("/parity", status_code=202, response_model=schemas.Job)
@allow(Role.READER, changes=False)
async def check_parity(request: Request, body: schemas.Parity) -> Response:
    """Run two versions on the same inputs, and say how well they agree."""
    sides = [await resolve(request, reference) for reference in (body.a, body.b)]
    arguments = {"a": sides[0].reference, "b": sides[1].reference}
    if body.tolerance is not None:
        arguments["tolerance"] = body.tolerance  # type: ignore[assignment]
    return await accepted(request, "parity", arguments, [side.name for side in sides])


async def comparison(
    request: Request,
    a: ModelEntry,
    b: ModelEntry,
    *,
    differences: bool,
    starts: Mapping[str, int],
    most: int,
    differing: bool = False,
) -> Mapping[str, Any]:
    """How the version b differs from a, made by a worker.

    :param starts: Of files, tensors and modules, how many to leave out of it.
    :param most: How many of each are told.
    :param differing: Only the tensors that differ, the most changed first.
    """
    pages = {"starts": starts, "most": most, "differing": differing}
    digests = [a.digest, b.digest]
    arguments = {"a": a.reference, "b": b.reference, "digests": digests, "differences": differences, **pages}
    told: Mapping[str, Any] = await look(request, "compare", arguments)
    caller = caller_of(request)
    return told if caller.sees_all else _without_hidden_parents(told, caller)


def _without_hidden_parents(told: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
    """A comparison that says nothing of models from which the versions come and that the caller may not see."""
    sides = {side: without_hidden_parents(told[side], caller) for side in ("a", "b")}
    parents = {side: sides[side]["metadata"]["parents"] for side in ("a", "b")}
    changes = [
        {**change, **parents} if change["key"] == "parents" else change
        for change in told["metadata"]
        if change["key"] != "parents" or parents["a"] != parents["b"]
    ]
    return {**told, **sides, "metadata": changes}


async def resolve(request: Request, reference: str) -> ModelEntry:
    """The version that a text names, of a model that the caller may see."""
    name, colon, version = reference.partition(":")
    if not colon:
        name, at, alias = reference.partition("@")
        version = f"@{alias}" if at else "latest"
    require(caller_of(request), Role.READER, name)
    return await run_sync(server_of(request).registry.resolve, name, version)
