"""Uploads in parts, which go on after a broken connection, or a server that was stopped."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Request, Response

from model_registry import InvalidNameError
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, allow, caller_of, owner_of, server_of
from model_registry_server.api_path import API
from model_registry_server.errors import ForbiddenError
from model_registry_server.security.roles import Role
from model_registry_server.transfer.announced import announced_length
from model_registry_server.transfer.digests import claimed_digest
from model_registry_server.transfer.errors import InvalidBodyError
from model_registry_server.transfer.layout import plain_name
from model_registry_server.transfer.upload_table import Announced
from model_registry_server.transfer.uploads import Upload

router = APIRouter(route_class=Route, tags=["uploads"])

#: Uploads that one caller may have under way.
_MOST = 100


@router.post("/uploads", status_code=201, response_model=schemas.Upload)
@allow(Role.WRITER)
def begin_upload(request: Request, body: schemas.NewUpload) -> Response:
    """Begin an upload of one or more files, each of which is sent in parts."""
    server, caller = server_of(request), caller_of(request)
    paths = [plain_name(file.path) for file in body.files]
    twice = next((str(path) for path, times in Counter(paths).items() if times > 1), None)
    if twice is not None:
        raise InvalidNameError(f"{twice!r:.200} is there twice", hint="give each file another name", value=twice)
    server.quota.require_in_thread(sum(file.size or 0 for file in body.files))
    files = [Announced(file.path, file.size, file.sha256) for file in body.files]
    upload = server.uploads.create(owner_of(caller), files, most=_MOST)
    request.state.noted["subject"] = upload.id
    return answer(upload, 201, {"Location": f"{API}/uploads/{upload.id}"})


@router.get("/uploads/{id:part}", response_model=schemas.Upload)
@allow(Role.WRITER)
def get_upload(request: Request, id: str) -> Response:
    """How far an upload has come: each file goes on at its offset."""
    return answer(upload_of(request, id))


@router.patch("/uploads/{id:part}/files/{number}", response_model=schemas.UploadFile, openapi_extra=schemas.PART_BODY)
@allow(Role.WRITER, changes=False, streams=True)
async def append_to_upload(
    request: Request,
    id: str,
    number: Annotated[int, schemas.NUMBER],
    upload_offset: Annotated[int, Header(ge=0, lt=1 << 62, description="Where this part begins")],
    upload_complete: Annotated[bool, Header(description="This is the last part of a file of unknown size")] = False,
) -> Response:
    """Send a part of a file. What has come is kept when the connection breaks: ask for the offset, and go on there.

    The digest of the part may be given by ``Content-Digest: sha-256=:…:``; ``Repr-Digest``, of the whole file, may not.
    """
    server = server_of(request)
    await run_sync(require_own, request, id)
    if request.headers.get("content-type", "").startswith("multipart/"):
        hint = "send the bytes as they are; curl does that by --data-binary @file"
        raise InvalidBodyError("the part is a form, whose boundaries would become bytes of the file", hint=hint)
    if "repr-digest" in request.headers:  # of what: the part, or the file?
        hint = "Content-Digest is of the part; the file's own is told when the upload begins"
        raise InvalidBodyError("Repr-Digest: a part is not the whole file", hint=hint)
    length = announced_length(request.headers)
    with server.quota.part(id) as body:
        await body.require(length or 0)
        file = await server.uploads.append(
            id,
            number,
            upload_offset,
            request.stream(),
            length=length,
            digest_of_part=claimed_digest(request.headers.items()),
            complete=upload_complete,
            take=body.take,
            pace=server.options.pace,
        )
    return answer(file, headers={"Upload-Offset": str(file.offset)})


@router.delete("/uploads/{id:part}", response_model=schemas.Deleted)
@allow(Role.WRITER)
def discard_upload(request: Request, id: str) -> Response:
    """Throw an upload away."""
    server = server_of(request)
    require_own(request, id)
    server.uploads.discard(id)
    return answer({"deleted": id})


def upload_of(request: Request, id: str) -> Upload:
    """An upload of the caller.

    :raises UploadNotFoundError: if there is no such upload.
    :raises ForbiddenError: if it is somebody else's.
    """
    require_own(request, id)
    return server_of(request).uploads.get(id)


def require_own(request: Request, id: str) -> None:
    """The same, of an upload whose files need not be looked at.

    :raises UploadNotFoundError: likewise.
    :raises ForbiddenError: likewise.
    """
    if server_of(request).uploads.owner_of(id) != owner_of(caller_of(request)):
        raise ForbiddenError("this upload is somebody else's", hint="begin one of your own")
