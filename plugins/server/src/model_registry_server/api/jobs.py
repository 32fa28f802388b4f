"""Jobs: work that takes long, to be polled or followed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from model_registry import InvalidOptionError
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, actor_of, allow, caller_of, owner_of, require, server_of
from model_registry_server.api.streams import streamed
from model_registry_server.api_path import API
from model_registry_server.errors import ForbiddenError, TooManyRequestsError
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.jobs.job import Job
from model_registry_server.security.roles import Caller, Role

router = APIRouter(route_class=Route, tags=["jobs"])

#: Seconds that a caller may wait for an answer, by «Prefer: wait=…» (RFC 7240), and does by default.
_LONGEST_WAIT = 60.0
#: Jobs of one caller that may wait or run at once.
_MOST_UNFINISHED = 100
#: Of the arguments of a job as JSON: they are kept for weeks.
_MOST_CHARACTERS = 64 << 10
_WAIT = re.compile(r"\bwait=(\d+)\b")
JOBS = f"{API}/jobs"


async def submit(
    request: Request, kind: str, arguments: Mapping[str, Any], models: Iterable[str], key: str | None = None
) -> Job:
    """Queue a job, and wait for it as long as the caller wants to.

    :raises InvalidOptionError: if it is given too much to keep.
    """
    if len(json.dumps(arguments, ensure_ascii=False)) > _MOST_CHARACTERS:
        message, hint = f"a job may be given {_MOST_CHARACTERS:,} characters", "say less in its options and metadata"
        raise InvalidOptionError(message, hint=hint, option="options")
    server = server_of(request)
    owner = owner_of(caller_of(request))
    if await run_sync(server.stored_jobs.unfinished, owner) >= _MOST_UNFINISHED:
        hint = "wait until some have ended, or cancel them"
        message = f"you have {_MOST_UNFINISHED} jobs that wait or run"
        raise TooManyRequestsError(message, hint=hint, retry_after=60)
    job = await server.jobs.submit(kind, arguments, actor_of(request), models, key, owner)
    request.state.noted.done(job=job.id)
    seconds = wanted_wait(request)
    return await server.jobs.wait(job.id, seconds) if seconds else job


def unless_failed(job: Job) -> Job:
    """The same job.

    :raises WorkerError: what failed, if the job did: whoever waited for it asked for what it makes.
    """
    if job.state == "failed" and job.error is not None:
        raise WorkerError(**job.error)
    return job


async def accepted(
    request: Request, kind: str, arguments: Mapping[str, Any], models: Iterable[str], key: str | None = None
) -> Response:
    """Queue a job, and say where it is told of."""
    return told(await submit(request, kind, arguments, models, key), caller_of(request))


def told(job: Job, caller: Caller, status: int = 202) -> Response:
    """What is known of a job, with the way to it."""
    headers = {"Location": f"{JOBS}/{job.id}", "Link": f'<{JOBS}/{job.id}/events>; rel="monitor"'}
    if not job.ended:
        headers["Retry-After"] = "1"
    return json_answer(_text(job, caller), status, headers)


def json_answer(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What is JSON already."""
    return Response(text.encode(), status, headers, media_type="application/json")


def document(job: Job, caller: Caller) -> dict[str, Any]:
    """A job without its result, and without what is only for workers."""
    told = job.document()
    arguments = {key: value for key, value in told["arguments"].items() if key not in ("path", "files", "digests")}
    return {**told, "arguments": arguments, "url": f"{JOBS}/{job.id}"}


def _text(job: Job, caller: Caller) -> str:
    """A job with its result, as JSON in one line.

    The result is put in as it is stored. To parse one of megabytes and to write it again would hold up everybody else,
    also if it were done in a thread.
    """
    return f'{json.dumps(document(job, caller))[:-1]}, "result": {_result_text(job, caller)}}}'


def _result_text(job: Job, caller: Caller) -> str:
    """The result, without where on the server an export is. Where a backup is, admins see."""
    if job.result_text is None:
        return "null"
    if job.kind == "export":
        return json.dumps({key: value for key, value in job.result.items() if key != "path"})
    if job.kind == "backup" and not caller.may(Role.ADMIN):
        result = job.result
        return json.dumps({**result, "path": PurePath(result["path"]).name})
    return job.result_text


def wanted_wait(request: Request) -> float:
    """Seconds that a caller wants to wait rather than to ask again."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), _LONGEST_WAIT) if found and len(found[1]) < 6 else 0.0


@router.get("/jobs", response_model=schemas.Jobs)
@allow(Role.READER)
async def list_jobs(
    request: Request,
    state: Annotated[schemas.JobState | None, Query(description="Only those in this state")] = None,
    before: Annotated[
        str | None, Query(description="The id of the last job of the page before", examples=["8f14e45fceea167a"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """The jobs that the caller may see, the newest first, without their results and what else of them is long."""
    server, caller = server_of(request), caller_of(request)

    def page() -> Response:
        found = server.stored_jobs.list(state, before, limit)
        cursor = found[-1].id if len(found) == limit else None
        seen = [{**document(job, caller), "result": None} for job in found if _sees(caller, job)]
        return answer({"jobs": seen, "cursor": cursor})

    return await run_sync(page)


@router.get("/jobs/{id:part}", response_model=schemas.Job)
@allow(Role.READER)
async def get_job(request: Request, id: str) -> Response:
    """A job as it is now, or with «Prefer: wait=10» as soon as it has ended, at most so many seconds later."""
    seconds = wanted_wait(request)
    job = await _job(request, id)
    found = await server_of(request).jobs.wait(id, seconds) if seconds else job
    return told(found, caller_of(request), 200)


@router.delete("/jobs/{id:part}", response_model=schemas.Job)
@allow(Role.READER)
async def cancel_job(request: Request, id: str) -> Response:
    """Cancel a job: a writer any that it may see, a reader its own. One that has ended stays as it is."""
    job, caller = await _job(request, id), caller_of(request)
    if job.owner != caller.owner:
        require(caller, Role.WRITER)
    request.state.noted.is_nothing = job.ended
    return told(await server_of(request).jobs.cancel(id), caller, 200)


@router.get("/jobs/{id:part}/events", response_class=StreamingResponse, responses=schemas.EVENTS)
@allow(Role.READER)
async def follow_job(request: Request, id: str) -> Response:
    """Follow a job by server-sent events: each is the job as it is then; the last one when it has ended."""
    await _job(request, id)
    server, caller = server_of(request), caller_of(request)

    async def told() -> AsyncIterator[str]:
        async for job in server.jobs.follow(id):
            yield f"event: {job.state}\ndata: {_text(job, caller)}\n\n"

    return streamed(request, told())


async def _job(request: Request, id: str) -> Job:
    """:raises JobNotFoundError: if there is none.
    :raises ForbiddenError: if it is about a model that the caller may not see.
    """
    job = await server_of(request).jobs.get(id)
    if not _sees(caller_of(request), job):
        raise ForbiddenError("this job is about models that the token is not for", hint="ask for a token that is")
    return job


def _sees(caller: Caller, job: Job) -> bool:
    """A job that names no model is about all of them."""
    if not job.models:
        return caller.sees_all
    return all(caller.may(Role.READER, name) for name in job.models)
