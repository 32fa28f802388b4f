"""The registry as a whole: validation, statistics, plugins, repair, archive, garbage; models of a hub."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.jobs import accepted, json_answer, submit, told, unless_failed
from model_registry_server.api.permission import Route, allow, caller_of, require, server_of
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["registry"])


@router.get("/validate", response_model=schemas.Validation, responses=schemas.JOB_INSTEAD)
@allow(Role.READER, everything=True)
async def validate_registry(
    request: Request, deep: Annotated[bool, Query(description="Read every byte again")] = False
) -> Response:
    """Check every version.

    The answer is 202 with a job, whose result is the report, unless it is there within the seconds of «Prefer: wait=…».
    """
    job = unless_failed(await submit(request, "validate", {"deep": deep}, [], f"validate {deep}"))
    return told(job, caller_of(request)) if job.result_text is None else json_answer(job.result_text)


@router.get("/stats", response_model=schemas.Stats)
@allow(Role.READER, everything=True)
async def get_stats(request: Request) -> Response:
    """Counts and bytes: models, versions, logical and stored bytes, by format and type."""
    told = await run_sync(server_of(request).registry.get_detailed_stats)
    if not caller_of(request).may(Role.ADMIN):  # where on the server it is, is nothing to others
        told["path"] = PurePath(told["path"]).name
    return answer(told)


@router.get("/plugins", response_model=schemas.Plugins)
@allow(Role.READER)
def list_plugins(request: Request) -> Response:
    """The plugins of the server, ready, disabled or failed; and the formats that they handle."""
    registry = server_of(request).registry
    return answer({"plugins": registry.plugins(), "formats": list(registry.formats().values())})


@router.post("/models/{name:model}/register-from-hub", status_code=202, response_model=schemas.Job)
@allow(Role.WRITER)
async def register_from_hub(request: Request, name: str, body: schemas.FromHub) -> Response:
    """Download a model from a hub that the configuration permits, and register it under this name."""
    for parent in body.parent:
        named = parent if isinstance(parent, str) else parent.name
        require(caller_of(request), Role.READER, named.partition(":")[0].partition("@")[0])
    arguments = {**body.metadata, **body.model_dump(exclude={"metadata"}, exclude_none=True), "name": name}
    request.state.noted["repo_id"] = body.repo_id
    return await accepted(request, "register_from_hub", arguments, [name])


@router.post("/models/{name:model}/restore-hot", status_code=202, response_model=schemas.Job)
@allow(Role.WRITER)
async def restore_hot(request: Request, name: str, body: schemas.VersionChoice) -> Response:
    """Make the files of an archived version plain files again, for good."""
    return await accepted(request, "restore_hot", {"name": name, "version": body.version}, [name])


@router.post("/archive", status_code=202, response_model=schemas.Job)
@allow(Role.ADMIN, everything=True)
async def archive(request: Request, body: schemas.ArchiveOrder) -> Response:
    """Keep the files of older versions smaller."""
    return await accepted(request, "archive", body.model_dump(exclude_none=True), [])


@router.post("/collect-garbage", status_code=202, response_model=schemas.Job)
@allow(Role.ADMIN, everything=True)
async def collect_garbage(request: Request, body: schemas.CollectOrder) -> Response:
    """Forget what was removed longer ago than this, and free every blob that nothing needs."""
    return await accepted(request, "collect_garbage", body.model_dump(exclude_none=True), [])


@router.post("/repair", status_code=202, response_model=schemas.Job)
@allow(Role.ADMIN, everything=True)
async def repair(request: Request, body: schemas.RepairOrder) -> Response:
    """Put right what is safe, and say what was done."""
    return await accepted(request, "repair", body.model_dump(), [])


@router.post("/backup", status_code=202, response_model=schemas.Job)
@allow(Role.ADMIN, everything=True)
async def backup(request: Request) -> Response:
    """Copy the catalog into the registry's folder of backups."""
    return await accepted(request, "backup", {}, [])
