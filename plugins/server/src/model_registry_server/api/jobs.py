"""Jobs: work that takes long, to be polled or followed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
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
from model_registry_server.documents import visible_parents, without_hidden_parents
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.jobs.job import Job, JobState
from model_registry_server.jobs.store import job_not_found
from model_registry_server.security.roles import Caller, Role
from model_registry_server.server import Server

router = APIRouter(route_class=Route, tags=["jobs"])

#: Seconds that a caller may wait for an answer, by «Prefer: wait=…» (RFC 7240), and does by default.
_LONGEST_WAIT = 60.0
#: Jobs of one caller that may wait or run at once.
_MOST_UNFINISHED = 100
#: Of the arguments of a job as JSON: they are kept for weeks.
_MOST_CHARACTERS = 64 << 10
#: What gives a *version*.
_MAKE_VERSIONS = frozenset({"compress", "convert", "register_from_hub", "restore_hot"})
_WAIT = re.compile(r"\bwait=(\d+)\b")
JOBS = f"{API}/jobs"


async def submit(
    request: Request, kind: str, arguments: Mapping[str, Any], models: Iterable[str], key: str | None = None
) -> Job:
    """Queue a job, and wait for it as long as the caller wants to.

    :raises InvalidOptionError: if it is given too much to keep, or a number that JSON cannot say.
    """
    if len(_as_json(arguments)) > _MOST_CHARACTERS:
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


def _as_json(arguments: Mapping[str, Any]) -> str:
    try:
        return json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        hint = "give a number, or leave it out"
        raise InvalidOptionError("a job is given finite numbers only", hint=hint, option="options") from error


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
    if "parent" in arguments and not caller.sees_all:
        arguments["parent"] = visible_parents(arguments["parent"], caller)
    return {**told, "arguments": arguments, "url": f"{JOBS}/{job.id}"}


def _text(job: Job, caller: Caller) -> str:
    """A job with its result, as JSON in one line.

    The result is put in as it is stored. To parse one of megabytes and to write it again would hold up everybody else,
    also if it were done in a thread.
    """
    return f'{json.dumps(document(job, caller))[:-1]}, "result": {_result_text(job, caller)}}}'


def result_of(job: Job, caller: Caller) -> Any:
    """What is told of the result of a job."""
    return json.loads(_result_text(job, caller))


def _result_text(job: Job, caller: Caller) -> str:
    """The result, without where on the server an export is, and what a version comes from that the caller may not see.
    Where a backup is, admins see."""
    if job.result_text is None:
        return "null"
    if job.kind in _MAKE_VERSIONS and not caller.sees_all:
        return json.dumps(without_hidden_parents(job.result, caller))
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


def page_of_jobs(
    server: Server, caller: Caller, state: JobState | None, before: str | None, limit: int
) -> tuple[Sequence[Job], str | None]:
    """The newest jobs that a caller may see, and where the next page begins: behind the last of them, if there is more.

    Of others it is not even told that they are there.

    :raises JobNotFoundError: if ``before`` is none of them.
    """
    found = server.stored_jobs.list(state, before, limit + 1, partial(_sees, caller))
    return found[:limit], found[limit - 1].id if len(found) > limit else None


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
        found, cursor = page_of_jobs(server, caller, state, before, limit)
        return answer({"jobs": [{**document(job, caller), "result": None} for job in found], "cursor": cursor})

    return await run_sync(page)


@router.get("/jobs/{id:part}", response_model=schemas.Job)
@allow(Role.READER)
async def get_job(request: Request, id: str) -> Response:
    """A job as it is now, or with «Prefer: wait=10» as soon as it has ended, at most so many seconds later."""
    seconds = wanted_wait(request)
    job = await seen_job(request, id)
    found = await server_of(request).jobs.wait(id, seconds) if seconds else job
    return told(found, caller_of(request), 200)


@router.delete("/jobs/{id:part}", response_model=schemas.Job)
@allow(Role.READER)
async def cancel_job(request: Request, id: str) -> Response:
    """Cancel a job: a writer any that it may see, a reader its own. One that has ended stays as it is."""
    job, caller = await seen_job(request, id), caller_of(request)
    if job.owner != caller.owner:
        require(caller, Role.WRITER)
    request.state.noted.is_nothing = job.ended
    return told(await server_of(request).jobs.cancel(id), caller, 200)


@router.get("/jobs/{id:part}/events", response_class=StreamingResponse, responses=schemas.EVENTS)
@allow(Role.READER)
async def follow_job(request: Request, id: str) -> Response:
    """Follow a job by server-sent events: each is the job as it is then; the last one when it has ended."""
    await seen_job(request, id)
    server, caller = server_of(request), caller_of(request)

    async def told() -> AsyncIterator[str]:
        async for job in server.jobs.follow(id):
            yield f"event: {job.state}\ndata: {_text(job, caller)}\n\n"

    return streamed(request, told())


async def seen_job(request: Request, id: str) -> Job:
    """A job as it is now.

    :raises JobNotFoundError: if there is none, or it is about a model that the caller may not see.
    """
    job = await server_of(request).jobs.get(id)
    if not _sees(caller_of(request), job.models):
        raise job_not_found(id)
    return job


def _sees(caller: Caller, models: Sequence[str]) -> bool:
    """Whether a caller may see a job about some models. One that names none is about all of them."""
    return all(caller.may(Role.READER, name) for name in models) if models else caller.sees_all
