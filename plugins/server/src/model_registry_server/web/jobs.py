"""Jobs, watched while they run."""

from __future__ import annotations

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry_server.api import jobs as api
from model_registry_server.api import schemas
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.jobs.job import Job
from model_registry_server.security import moments
from model_registry_server.security.roles import Caller, Role
from model_registry_server.web.addresses import under_model, version_url
from model_registry_server.web.language import language_of
from model_registry_server.web.page import PageRoute, see_other
from model_registry_server.web.rendering import render
from model_registry_server.web.troubles import trouble_of_document

router = APIRouter(route_class=PageRoute)

_PAGE = 50


@router.get("/ui/jobs")
@allow(Role.READER)
async def list_jobs(
    request: Request,
    state: Annotated[schemas.JobState | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    fragment: bool = False,
) -> Response:
    """The jobs, the newest first; with ``fragment``, only what changes while some run."""
    server, caller = server_of(request), caller_of(request)
    shown, more = await run_sync(api.page_of_jobs, server, caller, state, before, _PAGE)
    return render(
        request,
        "parts/jobs.html" if fragment else "jobs.html",
        jobs=shown,
        is_busy=any(not job.ended for job in shown),
        state=state,
        before=more,
        now=moments.now(),
    )


@router.get("/ui/jobs/{id:part}/events")
@allow(Role.READER)
async def follow_job(request: Request, id: str) -> Response:
    """What happens to a job."""
    return await api.follow_job(request, id)


@router.post("/ui/jobs/{id:part}/cancel")
@allow(Role.READER)
async def cancel_job(request: Request, id: str) -> Response:
    """Cancel a job."""
    await api.cancel_job(request, id)
    return see_other(f"/ui/jobs/{id}")


@router.get("/ui/jobs/{id:part}")
@allow(Role.READER)
async def get_job(request: Request, id: str) -> Response:
    """A job."""
    return await run_sync(_page_of, request, await api.seen_job(request, id), caller_of(request))


def _page_of(request: Request, job: Job, caller: Caller) -> Response:
    result = api.result_of(job, caller)
    return render(
        request,
        "job.html",
        job=job,
        result=result,
        shown=api.document(job, caller),
        result_url=result_url(job, result),
        may_cancel=job.owner == caller.owner or caller.may(Role.WRITER),
        trouble=None if job.error is None else trouble_of_document(job.error, language_of(request)),
    )


def result_url(job: Job, result: Any) -> str | None:
    """Where to see what a job made."""
    if job.state != "succeeded":
        return None
    if job.kind == "export":
        said: dict[str, Any] = {key: job.arguments.get(key) for key in ("version", "format")}
        return under_model(str(job.arguments["name"]), "export", **said)
    made = result if isinstance(result, dict) else {}
    if isinstance(made.get("name"), str) and isinstance(made.get("version"), str):
        return version_url(made["name"], made["version"])
    return None
