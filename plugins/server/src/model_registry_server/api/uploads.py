"""Uploads: in one request, or in parts that may be continued; hashed as they arrive, and never whole in memory."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from anyio.to_thread import run_sync
from attrs import frozen
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ValidationError

from model_registry.errors import InvalidNameError, InvalidOptionError
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.digests import claimed_digest, require_digest
from model_registry_server.api.permission import Route, actor_of, allow, caller_of, require, server_of
from model_registry_server.options import MEGABYTE
from model_registry_server.problems import ForbiddenError
from model_registry_server.security.roles import Caller, Role
from model_registry_server.server import Server
from model_registry_server.transfer.errors import InvalidBodyError, TooLargeError
from model_registry_server.transfer.multipart import FormLimits, read_form
from model_registry_server.transfer.receiving import receive
from model_registry_server.transfer.upload_table import Announced
from model_registry_server.transfer.uploads import Upload

router = APIRouter(route_class=Route, tags=["uploads"])

_JSON_MOST = 8 << 20
#: Bytes of a form that are no file's: its fields, and what stands between them.
_FORM_SLACK = 1 << 20
_FIELDS = ("performance_metrics", "metadata", "options", "input_shape", "output_shape", "parent")


@frozen
class Came:
    """A file that came, under the name that it has in the model."""

    path: str
    file: Path
    sha256: str


@router.post("/models/upload", status_code=201, response_model=schemas.Version, openapi_extra=schemas.UPLOAD_BODY)
@allow(Role.WRITER)
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
    slack = _FORM_SLACK if kind == "multipart/form-data" else 0
    limit = await run_sync(_room, server, _announced(request), slack)
    async with _folder(server) as folder:
        if kind == "multipart/form-data":
            limits = FormLimits(body=limit, timeout=server.options.body_timeout)
            form = await read_form(request.stream(), request.headers["content-type"], folder, limits)
            said = {**_query(request), **form.fields}
            came = [Came(file.filename, file.path, file.sha256) for file in form.files]
        else:
            said = _query(request)
            came = [await _of_body(request, folder, filename or "model", limit)]
        if not came:
            raise InvalidBodyError("the form has no file", hint="send one, in a field such as «file»")
        return await _register(request, folder, came, said)


async def _of_body(request: Request, folder: Path, filename: str, limit: int | None) -> Came:
    target = folder / "0"
    timeout = server_of(request).options.body_timeout
    received = await receive(request.stream(), target, limit=limit, timeout=timeout)
    require_digest(claimed_digest(request.headers, "content-digest", "repr-digest"), received.sha256, filename)
    return Came(filename, target, received.sha256)


async def _of_upload(request: Request) -> Response:
    try:
        body = schemas.UploadedVersion.model_validate(await _json(request))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidBodyError(said[:1000], hint="see /openapi.json") from error
    server = server_of(request)
    upload = await run_sync(_mine, server, caller_of(request), body.upload)
    files = await run_sync(server.uploads.finish, upload.id)
    came = [Came(file.path, file.file, file.sha256) for file in files]
    async with _folder(server) as folder:
        response = await _register(request, folder, came, body.model_dump(exclude={"upload"}, exclude_none=True))
    await run_sync(server.uploads.discard, upload.id)
    return response


async def _register(request: Request, folder: Path, came: Sequence[Came], said: Mapping[str, Any]) -> Response:
    """Have a worker register what came, and say what it is now."""
    server, caller = server_of(request), caller_of(request)
    given = _given(said)
    require(caller, Role.WRITER, given["name"])
    for parent in given.get("parent", ()):
        named = parent if isinstance(parent, str) else str(parent.get("name"))
        require(caller, Role.READER, named.partition(":")[0].partition("@")[0])
    request.state.noted.update(subject=given["name"], files=len(came))
    path, digests = await run_sync(_laid_out, folder / "model", came)
    arguments = {**given, "path": str(path), "digests": {str(file): sha256 for file, sha256 in digests.items()}}
    document = await server.quick.run("register", arguments, actor_of(request))
    request.state.noted.update(subject=document["reference"], digest=document["digest"])
    location = f"/model-registry/models/{document['name'].replace('/', '%2F')}?version={document['version']}"
    return answer(document, 201, {"Location": location})


def _given(said: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of ``register_model``: what a form says as texts becomes what it stands for."""
    given = {key: _value(key, value) for key, value in said.items() if value not in (None, "")}
    if not isinstance(given.get("name"), str):
        raise InvalidNameError("there is no name", hint="say what the model is to be called: name=…", value=None)
    metadata = given.pop("metadata", {})
    if "format" in given:
        given["model_format"] = given.pop("format")
    if "type" in given:
        given["model_type"] = given.pop("type")
    taken = {"path", "digests", "name", "model", "self", "weights_only", "example_inputs"} & metadata.keys()
    if taken:
        raise InvalidOptionError(f"{min(taken)!r} is no metadata", hint="leave it out", option=min(taken))
    return {**metadata, **given}


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if key in _FIELDS and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            hint = "give JSON"
            raise InvalidOptionError(f"{key}: {value[:100]!r} is no JSON", hint=hint, option=key) from error
    if key == "parent":
        return [value]
    if key == "tags":
        return [tag.strip() for tag in value.split(",") if tag.strip()]
    if key == "exist_ok":
        return value.lower() in ("1", "true", "yes", "on")
    return value


def _laid_out(root: Path, came: Sequence[Came]) -> tuple[Path, dict[Path, str]]:
    """The files under the names that they have in the model; the path of the only one, or of their folder."""
    root.mkdir(mode=0o700)
    digests: dict[Path, str] = {}
    for each in came:
        target = root / _plain(each.path)
        if target in digests:
            what = f"{each.path!r:.200} came twice"
            raise InvalidNameError(what, hint="give each file another name", value=each.path)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            each.file.rename(target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            what = f"{each.path!r:.200} is both a file and a folder"
            raise InvalidNameError(what, hint="give each file another name", value=each.path) from error
        digests[target] = each.sha256
    return (next(iter(digests)) if len(digests) == 1 else root), digests


def _plain(name: str) -> PurePosixPath:
    """A path within the model.

    :raises InvalidNameError: for one that leads elsewhere.
    """
    path = PurePosixPath(name)
    bad = path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name
    if bad or len(name) > 500 or not name.isprintable() or any(len(part.encode()) > 200 for part in path.parts):
        hint = "use letters, digits and . _ - within a folder"
        raise InvalidNameError(f"{name[:100]!r} can be no file of a model", hint=hint, value=name[:500])
    return path


def _query(request: Request) -> dict[str, str]:
    return {key: value for key, value in request.query_params.items() if key != "filename"}


async def _json(request: Request) -> Any:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _JSON_MOST:
            raise TooLargeError(f"the body is larger than {_JSON_MOST:,} bytes", limit=_JSON_MOST)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidBodyError("the body is no JSON", hint="see /openapi.json") from error


@asynccontextmanager
async def _folder(server: Server) -> AsyncIterator[Path]:
    """A folder for what comes with a request, which ends with it."""
    folder = server.incoming / secrets.token_hex(16)
    await run_sync(lambda: folder.mkdir(mode=0o700))
    try:
        yield folder
    finally:
        await run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


def _room(server: Server, announced: int = 0, slack: int = 0) -> int | None:
    """Bytes that may come; None for any number.

    :param announced: Bytes that the client says will.
    :param slack: Bytes of the body that are no file's.
    :raises TooLargeError: if that is more.
    """
    most = [int(server.options.max_upload_mb * MEGABYTE)] if server.options.max_upload_mb else []
    if server.options.quota_mb:
        used = server.registry.get_detailed_stats()["stored_bytes"] + server.uploads.bytes_of()
        most.append(max(int(server.options.quota_mb * MEGABYTE) - used, 0))
    if not most:
        return None
    if announced > min(most) + slack:
        hint = "max_upload_mb and quota_mb of [plugins.server] say how much may"
        raise TooLargeError(f"{announced:,} bytes are more than may come ({min(most):,})", hint=hint, limit=min(most))
    return min(most) + slack


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


# In parts


@router.post("/uploads", status_code=201, response_model=schemas.Upload)
@allow(Role.WRITER)
def begin_upload(request: Request, body: schemas.NewUpload) -> Response:
    """Begin an upload of one or more files, each of which is sent in parts."""
    server, caller = server_of(request), caller_of(request)
    for file in body.files:
        _plain(file.path)
    _room(server, sum(file.size or 0 for file in body.files))
    files = [Announced(file.path, file.size, file.sha256) for file in body.files]
    upload = server.uploads.create(_owner(caller), files)
    request.state.noted["subject"] = upload.id
    return answer(upload, 201, {"Location": f"/model-registry/uploads/{upload.id}"})


@router.get("/uploads/{id:part}", response_model=schemas.Upload)
@allow(Role.WRITER)
def get_upload(request: Request, id: str) -> Response:
    """How far an upload has come: each file goes on at its offset."""
    return answer(_mine(server_of(request), caller_of(request), id))


@router.patch("/uploads/{id:part}/files/{number}", response_model=schemas.UploadFile)
@allow(Role.WRITER, changes=False)
async def append_to_upload(
    request: Request,
    id: str,
    number: Annotated[int, schemas.NUMBER],
    upload_offset: Annotated[int, Header(ge=0, lt=1 << 62, description="Where this part begins")],
    upload_complete: Annotated[bool, Header(description="This is the last part of a file of unknown size")] = False,
) -> Response:
    """Send a part of a file. What has come is kept when the connection breaks: ask for the offset, and go on there.

    The digest of the part may be given by ``Content-Digest: sha-256=:…:``.
    """
    server = server_of(request)
    await run_sync(_mine, server, caller_of(request), id)
    limit = await run_sync(lambda: _room(server))
    length = request.headers.get("content-length", "")
    file = await server.uploads.append(
        id,
        number,
        upload_offset,
        request.stream(),
        length=int(length) if length.isdecimal() else None,
        digest_of_part=claimed_digest(request.headers, "content-digest"),
        complete=upload_complete,
        limit=limit,
        timeout=server.options.body_timeout,
    )
    return answer(file, headers={"Upload-Offset": str(file.offset)})


@router.delete("/uploads/{id:part}", response_model=schemas.Deleted)
@allow(Role.WRITER)
def discard_upload(request: Request, id: str) -> Response:
    """Throw an upload away."""
    server = server_of(request)
    server.uploads.discard(_mine(server, caller_of(request), id).id)
    return answer({"deleted": id})


@router.post("/models/{name:model}/missing", response_model=schemas.Missing)
@allow(Role.WRITER, changes=False)
def missing_blobs(request: Request, name: str, body: schemas.Offered) -> Response:
    """Which of these blobs would have to be sent to register a version of this model here.

    A token that is not for every model is told of those alone that this model has already.
    """
    server, caller = server_of(request), caller_of(request)
    stored = server.registry.stored_blobs(body.blobs, name=None if caller.sees_all else name)
    return answer({"missing": sorted(body.blobs.keys() - stored), "version": server.registry.next_version(name)})


@router.post("/models/{name:model}/receive", status_code=201, response_model=schemas.Version)
@allow(Role.WRITER)
async def receive_version(request: Request, name: str, body: schemas.Receive) -> Response:
    """Register a version that another registry made, of which the missing blobs were uploaded under their digests."""
    server, caller = server_of(request), caller_of(request)
    files: dict[str, str] = {}
    if body.upload is not None:
        upload = await run_sync(_mine, server, caller, body.upload)
        files = {file.sha256: str(file.file) for file in await run_sync(server.uploads.finish, upload.id)}
    arguments = {
        "name": name,
        "digest": body.digest,
        "files": files,
        "records": body.records,
        "exist_ok": body.exist_ok,
        "borrow": caller.sees_all,
    }
    document = await server.quick.run("receive", arguments, actor_of(request))
    request.state.noted.update(subject=document["reference"], digest=document["digest"])
    if body.upload is not None:
        await run_sync(server.uploads.discard, body.upload)
    return answer(document, 201)


def _owner(caller: Caller) -> str:
    return caller.token_id or caller.name


def _mine(server: Server, caller: Caller, id: str) -> Upload:
    """:raises UploadNotFoundError: if there is no such upload.
    :raises ForbiddenError: if it is somebody else's.
    """
    upload = server.uploads.get(id)
    if upload.owner != _owner(caller):
        raise ForbiddenError("this upload is somebody else's", hint="begin one of your own")
    return upload
