"""Uploading a model in one request, or registering what was uploaded in parts before."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from model_registry import InvalidOptionError, ModelRegistryError
from model_registry.documents import version_document
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.bodies import bounded
from model_registry_server.api.examples import json_of
from model_registry_server.api.permission import Route, allow, caller_of, owner_of, require, server_of
from model_registry_server.api.quick import have_registered
from model_registry_server.api.said import as_sent, keywords_of
from model_registry_server.api.uploads import require_own
from model_registry_server.api_path import API
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.request_folders import folder_of_body, folder_of_request
from model_registry_server.security.roles import Role
from model_registry_server.server import Server
from model_registry_server.transfer.digests import claimed_digest, require_digest
from model_registry_server.transfer.errors import InvalidBodyError
from model_registry_server.transfer.incoming import Take
from model_registry_server.transfer.layout import Came, laid_out
from model_registry_server.transfer.multipart import FormLimits, read_form
from model_registry_server.transfer.receiving import receive

logger = logging.getLogger("model_registry.server")

router = APIRouter(route_class=Route, tags=["uploads"])

_SUCH_AS = f"send JSON such as {json_of(schemas.UploadedVersion)}, or a form, or a file"
#: Bytes of a form that are no file's, hardly ever more. What is announced as larger than these and what may come is
#: refused before it comes: a client that is still sending may not see why.
_FORM_SLACK = 1 << 20


@router.post("/models/upload", status_code=201, response_model=schemas.Version, openapi_extra=schemas.UPLOAD_BODY)
@allow(Role.WRITER, streams=True)
async def upload_model(
    request: Request,
    name: Annotated[str | None, Query(description="With a body that is the file itself", examples=["digits"])] = None,
    version: Annotated[str | None, Query(description="Default: 1.0.0, then the next patch")] = None,
    filename: Annotated[str | None, Query(description="What the file is called", examples=["model.onnx"])] = None,
) -> Response:
    """Upload a model and register it.

    The body is a form (multipart/form-data) with the field ``name`` and one or more files, whose names may be paths
    within a folder; or JSON that names an upload which was finished before; or the one file itself, with ``name`` and
    what else is to be said in the query.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if name is not None:
        require(caller_of(request), Role.WRITER, name)  # before anything of it comes
    if kind == "application/json":
        return await _of_upload(request)
    server = server_of(request)
    limits = FormLimits(pace=server.options.pace)
    slack = _FORM_SLACK if kind == "multipart/form-data" else 0
    async with folder_of_body(server, request, slack) as (folder, take):
        if kind == "multipart/form-data":
            digest = claimed_digest(request.headers.items())
            kind = request.headers["content-type"]
            form = await read_form(request.stream(), kind, folder, limits, take=take, digest=digest)
            said = {**_query(request), **form.fields}
            came = [Came(file.filename, file.path, file.sha256) for file in form.files]
        else:
            said = _query(request)
            came = [await _of_body(request, folder, filename or "model", take)]
        if not came:
            raise InvalidBodyError("the form has no file", hint="send one, in a field such as «file»")
        return _created(await _register(request, folder, came, said))


async def _of_body(request: Request, folder: Path, filename: str, take: Take) -> Came:
    target, claimed = folder / "0", claimed_digest(request.headers.items())
    received = await receive(request.stream(), target, take=take, pace=server_of(request).options.pace)
    require_digest(claimed, received.sha256, filename)
    return Came(filename, target, received.sha256)


async def _of_upload(request: Request) -> Response:
    try:
        body = schemas.UploadedVersion.model_validate(await _json(request))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidBodyError(said[:1000], hint=_SUCH_AS) from error
    server, owner = server_of(request), owner_of(caller_of(request))
    given = body.model_dump(exclude={"upload"}, exclude_none=True)
    async with server.finishing(body.upload), folder_of_request(server) as folder:
        made = await run_sync(server.outcomes.of, body.upload, owner)
        if made is not None:  # the answer to an earlier request was lost
            return await _made_before(request, body, *made)
        await run_sync(require_own, request, body.upload)
        files = await run_sync(server.uploads.finish, body.upload)
        came = [Came(file.path, file.file, file.sha256) for file in files]
        document = await _register(request, folder, came, given, stays=True)
        await run_sync(_put_away, server, body.upload, owner, document)
    return _created(document)


def _put_away(server: Server, upload: str, owner: str, document: Mapping[str, Any]) -> None:
    """Note what an upload became, and let go of it. The version is there, even if the disk does not take that."""
    for work in (
        partial(server.outcomes.note, upload, owner, document["name"], document["version"]),
        partial(server.uploads.discard, upload),
    ):
        try:
            work()
        except ModelRegistryError:
            logger.exception("the upload that became %s could not be put away", document["reference"])


async def _made_before(request: Request, body: schemas.UploadedVersion, name: str, version: str) -> Response:
    require(caller_of(request), Role.WRITER, name)
    if body.name != name or body.version not in (None, version):
        message, hint = f"upload {body.upload} became {name}:{version}", "begin another upload for another version"
        raise InvalidOptionError(message, hint=hint, option="upload")
    request.state.noted.is_nothing = True
    return _created(version_document(await run_sync(server_of(request).registry.resolve, name, version)))


def _created(document: Mapping[str, Any]) -> Response:
    location = f"{API}/models/{document['name'].replace('/', '%2F')}?version={document['version']}"
    return answer(document, 201, {"Location": location})


async def _register(
    request: Request, folder: Path, came: Sequence[Came], said: Mapping[str, Any], *, stays: bool = False
) -> Mapping[str, Any]:
    """Have a worker register what came, and say what it is now."""
    caller = caller_of(request)
    given = await run_sync(keywords_of, said)
    require(caller, Role.WRITER, given["name"])
    for parent in given.get("parent", ()):
        named = parent if isinstance(parent, str) else str(parent.get("name"))
        require(caller, Role.READER, named.partition(":")[0].partition("@")[0])
    request.state.noted.update(subject=given["name"], files=len(came))
    root = folder / "model"
    path, digests = await run_sync(lambda: laid_out(root, came, stays=stays))
    arguments = {**given, "path": str(path), "digests": {str(file): sha256 for file, sha256 in digests.items()}}
    try:
        document = await have_registered(request, "register", arguments)
    except WorkerError as error:
        raise as_sent(error, root) from error
    request.state.noted.done(subject=document["reference"], digest=document["digest"])
    return document


def _query(request: Request) -> dict[str, str]:
    return {key: value for key, value in request.query_params.items() if key != "filename"}


async def _json(request: Request) -> Any:
    try:
        server = server_of(request)
        with server.bodies.body(caller_of(request).taker) as take:
            return await bounded(request, server.options.pace, take).json()
    except (ValueError, RecursionError) as error:
        raise InvalidBodyError("the body is no JSON", hint=_SUCH_AS) from error
