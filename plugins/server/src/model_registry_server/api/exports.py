"""Exports, conversions and compressions: what is made of a version."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry, ModelRegistry
from model_registry.documents import plain
from model_registry.errors import InvalidOptionError
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.downloads import content_of, found, sending
from model_registry_server.api.jobs import accepted, submit, told, unless_failed
from model_registry_server.api.parameters import Version
from model_registry_server.api.permission import Route, allow, caller_of, require, server_of
from model_registry_server.security.roles import Role
from model_registry_server.server import Server
from model_registry_server.transfer.archives import Archive
from model_registry_server.transfer.content import Content
from model_registry_server.transfer.exports import export_key

router = APIRouter(route_class=Route, tags=["conversions"])

#: How the keys of jobs begin that export.
_KEY = "export "


@router.head("/models/{name:model}/export", include_in_schema=False)
@router.get("/models/{name:model}/export", response_class=Response, responses=schemas.EXPORT)
@allow(Role.READER)
async def export_model(
    request: Request,
    name: str,
    version: Version = "latest",
    format: Annotated[str | None, Query(description="Another format. Default: the files as registered")] = None,
    check: Annotated[bool, Query(description="Compare what it computes with its source")] = True,
    allow_mismatch: Annotated[bool, Query(description="Keep also what computes something else")] = False,
    tolerance: Annotated[float | None, Query(ge=0, le=1, description="The greatest relative difference")] = None,
    options: Annotated[
        str, Query(max_length=10_000, description="Options of the conversion, as JSON", examples=['{"opset": 18}'])
    ] = "{}",
    archive: Annotated[Archive | None, Query(description="How to send several files. Default: tar")] = None,
) -> Response:
    """Export a version: at once if nothing has to be converted, or was converted before.

    Otherwise the answer is 202 with a job. When that has succeeded, the same request is answered with the file. With
    «Prefer: wait=60», it is answered so as soon as the conversion is done.
    """
    server = server_of(request)
    entry = await run_sync(server.registry.resolve, name, version)
    if format is None or format == entry.metadata.format:
        stored = await found(request, lambda: content_of(entry, None, archive))
        return sending(request, stored)
    given = _options(options)
    await run_sync(_require_possible, server.registry, entry, format, given)  # told now, before there is a job of it
    gate = {"check": check, "allow_mismatch": allow_mismatch, "tolerance": tolerance}
    key = export_key(entry.digest, format, gate, given)

    def find() -> Content | None:
        return server.exports.content(key, entry, archive)

    content = await found(request, find)
    if content is None:
        path = await run_sync(server.exports.place, key, entry, format, await run_sync(_under_way, server))
        named: dict[str, Any] = {"name": entry.name, "version": entry.version, "digest": entry.digest, "format": format}
        named |= {"path": str(path), "overwrite": True}
        said = {name: value for name, value in gate.items() if value is not None}
        job = await submit(request, "export", {**named, **said, "options": given}, [entry.name], f"{_KEY}{key}")
        unless_failed(job)
        if job.state != "succeeded":
            return told(job, caller_of(request))
        content = await found(request, find)
        if content is None:
            return told(job, caller_of(request))
    return sending(request, content)


@router.get("/models/{name:model}/plan", response_model=schemas.Plan)
@allow(Role.READER)
def plan_conversion(
    request: Request,
    name: str,
    to: Annotated[str | None, Query(description="The format", examples=["onnx"])] = None,
    version: Version = "latest",
    path: Annotated[str | None, Query(description="A file whose suffix says the format", max_length=1000)] = None,
) -> Response:
    """The conversions that lead to a format."""
    steps = server_of(request).registry.plan_conversion(name, version, to, path=path)
    return answer({"steps": [{**plain(step), "options": sorted(step.options)} for step in steps]})


@router.post("/models/{name:model}/convert", status_code=202, response_model=schemas.Job)
@allow(Role.WRITER)
async def convert_model(request: Request, name: str, body: schemas.Convert) -> Response:
    """Register what another format is made of a version."""
    return await _made(request, "convert", name, body.model_dump(exclude_none=True))


@router.post("/models/{name:model}/compress", status_code=202, response_model=schemas.Job)
@allow(Role.WRITER)
async def compress_model(request: Request, name: str, body: schemas.Compress) -> Response:
    """Register a smaller model made of a version."""
    return await _made(request, "compress", name, body.model_dump(exclude_none=True))


@router.post("/models/{name:model}/recommend-compression", status_code=202, response_model=schemas.Job)
@allow(Role.READER)
async def recommend_compression(request: Request, name: str, body: schemas.Recommend) -> Response:
    """Try what can be made of a version, and tell what is smallest and good enough."""
    if body.keep:
        require(caller_of(request), Role.WRITER, name)
    return await _made(request, "recommend", name, body.model_dump(exclude_none=True))


async def _made(request: Request, kind: str, name: str, arguments: dict[str, Any]) -> Response:
    entry: ModelEntry = await run_sync(server_of(request).registry.resolve, name, arguments.get("version", "latest"))
    models = [entry.name]
    if "new_name" in arguments:
        require(caller_of(request), Role.WRITER, arguments["new_name"])
        models.append(arguments["new_name"])
    return await accepted(request, kind, {**arguments, "name": entry.name, "version": entry.version}, models)


def _under_way(server: Server) -> set[str]:
    """The keys of exports that are being made, or will be."""
    jobs = [job for state in ("queued", "running") for job in server.stored_jobs.list(state, limit=10_000)]
    return {job.key.removeprefix(_KEY) for job in jobs if job.key and job.key.startswith(_KEY)}


def _require_possible(registry: ModelRegistry, entry: ModelEntry, format: str, given: Collection[str]) -> None:
    """:raises UnsupportedFormatError: if nothing leads to the format.
    :raises InvalidOptionError: for an option that no step to it knows.
    """
    steps, formats = registry.plan_conversion(entry.name, entry.version, format), registry.formats()
    if any(formats[step.target].open_options for step in steps):
        return
    known = frozenset().union(*(formats[step.target].export_options | step.options for step in steps))
    for option in given:
        if option not in known:
            message = f"exporting to format {format!r} knows no option {option!r:.200}"
            raise InvalidOptionError(message, hint=f"it knows: {', '.join(sorted(known)) or 'none'}", option=option)


def _options(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError("no object")
        schemas.shallow(given)
    except (ValueError, RecursionError) as error:
        hint = 'give an object, such as {"opset": 18}'
        raise InvalidOptionError(f"options: {text[:100]!r} is no JSON object", hint=hint, option="options") from error
    return given
