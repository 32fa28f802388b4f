"""Bodies that are read whole, such as JSON: bounded in size and time, and checked. Those of files are streamed
elsewhere."""

from __future__ import annotations

from hashlib import sha256

from fastapi import HTTPException, Request
from starlette.types import Message

from model_registry_server.transfer.deadline import Deadline
from model_registry_server.transfer.digests import claimed_digest, require_digest
from model_registry_server.transfer.errors import DigestMismatchError, TooLargeError, TooSlowError, TransferError
from model_registry_server.transfer.pace import Pace

MOST_BYTES = 8 << 20


class BodyRefused(HTTPException):
    """Carries an error through FastAPI, which makes a 400 of whatever else is raised while it reads a body."""

    def __init__(self, error: TransferError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


def bounded(request: Request, pace: Pace) -> Request:
    """The same request, whose body may have so many bytes, must come, and has the digest that was told.

    :raises BodyRefused: for what is too large, too slow or another body, when it is read.
    :raises InvalidBodyError: for a digest that cannot be checked.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise _too_large()
    receive, seen = request.receive, 0
    claimed, running = claimed_digest(request.headers.items()), sha256()
    deadline = Deadline(pace, "the body")

    is_whole = False

    async def bounded_receive() -> Message:
        nonlocal seen, is_whole
        if is_whole:  # what still comes is that the client leaves
            return await receive()
        try:
            with deadline:
                message = await receive()
        except TooSlowError as error:
            raise BodyRefused(error) from error
        piece = message.get("body", b"")
        deadline.came(len(piece))
        if claimed is not None:
            running.update(piece)
        seen += len(piece)
        if seen > MOST_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            is_whole = True
            deadline.close()
            if message["type"] == "http.request":
                _check(claimed, running.hexdigest())
        return message

    return Request(request.scope, bounded_receive)


def _check(claimed: str | None, found: str) -> None:
    try:
        require_digest(claimed, found, "the body")
    except DigestMismatchError as error:
        raise BodyRefused(error) from error


def _too_large() -> BodyRefused:
    hint = "send less at once; files of any size are sent in parts, by POST /uploads"
    return BodyRefused(TooLargeError(f"the body has more than {MOST_BYTES:,} bytes", hint=hint, limit=MOST_BYTES))
