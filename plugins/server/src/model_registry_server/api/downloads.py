"""Downloads: a file, or everything as one archive; and the blobs that a version is made of, for other registries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.parameters import Version
from model_registry_server.api.permission import Route, allow, caller_of, owner_of, server_of
from model_registry_server.errors import NotFoundError
from model_registry_server.security.roles import Role
from model_registry_server.transfer.archives import Archive, archive_content
from model_registry_server.transfer.content import Content, Member, file_content
from model_registry_server.transfer.sending import Sending

router = APIRouter(route_class=Route, tags=["files"])

T = TypeVar("T")


@router.head("/models/{name:model}/download", include_in_schema=False)
@router.get("/models/{name:model}/download", response_class=Response, responses=schemas.FILE)
@allow(Role.READER)
async def download(
    request: Request,
    name: str,
    version: Version = "latest",
    path: Annotated[str | None, Query(description="Only this file of the version")] = None,
    archive: Annotated[Archive | None, Query(description="How to send several files. Default: tar")] = None,
) -> Response:
    """Download a version: its file, if it is one, else all of them as an archive.

    Every byte was verified against its digest. The entity tag is strong, and parts may be asked for, so a download that
    was interrupted goes on where it ended.
    """
    server = server_of(request)

    def find() -> Content:
        return content_of(server.registry.resolve(name, version), path, archive)

    return sending(request, await found(request, find))


def sending(request: Request, content: Content) -> Sending:
    """The answer that sends a content.

    Sending it raises ``TooManyRequestsError`` if the caller takes as many already as it may.
    """
    server, taker = server_of(request), caller_of(request).taker
    return Sending(content, lambda: server.downloads.one_more(taker))


async def found(request: Request, find: Callable[[], T]) -> T:
    """What is to be sent, looked for in a thread: whoever asks for a version first waits until it was verified."""
    server = server_of(request)
    async with server.reading_turns.turn(owner_of(caller_of(request))):
        return await run_sync(find, limiter=server.reading)


def content_of(entry: ModelEntry, path: str | None, archive: Archive | None) -> Content:
    """What is sent of a version.

    :raises NotFoundError: if it has no file of this path.
    :raises IntegrityError: if bytes on the disk are not those that were registered.
    """
    files = entry.files
    stem = f"{entry.name.rpartition('/')[2]}-{entry.version}"
    if path is not None:
        files = tuple(file for file in files if file.path == path)
        if not files:
            hint = "GET …/models/{name} lists its files"
            raise NotFoundError(f"{entry.reference} has no file {path!r:.200}", hint=hint, id=path)
    if len(files) == 1 and archive is None:
        file = files[0]
        name = f"{stem}{PurePosixPath(file.path).suffix}" if path is None else PurePosixPath(file.path).name
        return file_content(entry.blob(file.sha256), name, file.sha256, file.size)
    if path is None:
        entry.verify()  # now, and several files at once
    members = [Member(file.path, entry.blob(file.sha256), file.size, file.sha256) for file in files]
    return archive_content(members, stem, entry.digest, archive)


@router.get("/models/{name:model}/blobs", response_model=schemas.Blobs)
@allow(Role.READER)
def list_blobs(request: Request, name: str, version: Version = "latest") -> Response:
    """All that a version is made of, by digest, its manifest among it: what another registry needs to take it."""
    entry = server_of(request).registry.resolve(name, version)
    document = {"name": entry.name, "version": entry.version, "digest": entry.digest, "blobs": entry.blobs}
    return answer({**document, "registered_at": entry.registered_at})


@router.head("/models/{name:model}/blobs/{sha256:part}", include_in_schema=False)
@router.get("/models/{name:model}/blobs/{sha256:part}", response_class=Response, responses=schemas.FILE)
@allow(Role.READER)
async def download_blob(request: Request, name: str, sha256: str, version: Version = "latest") -> Response:
    """Download one blob of a version."""
    server = server_of(request)

    def find() -> Content:
        entry = server.registry.resolve(name, version)
        size = entry.blobs.get(sha256)
        if size is None:
            hint = "GET …/models/{name}/blobs lists them"
            raise NotFoundError(f"{entry.reference} has no blob {sha256:.80}", hint=hint, id=sha256)
        return file_content(entry.blob(sha256), sha256, sha256, size)

    return sending(request, await found(request, find))
