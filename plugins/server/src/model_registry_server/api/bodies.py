"""Bodies that are read whole, such as JSON: bounded in size and time. Those of files are streamed elsewhere."""

from __future__ import annotations

from fastapi import HTTPException, Request
from starlette.types import Message

from model_registry_server.transfer.deadline import Deadline
from model_registry_server.transfer.errors import TooSlowError

MOST_BYTES = 8 << 20


def bounded(request: Request, timeout: float | None) -> Request:
    """The same request, whose body may have so many bytes, and must come.

    FastAPI makes a 400 of whatever is raised while it reads a body, but for its own exceptions.

    :raises HTTPException: 413 or 408, when the body is read.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise _too_large()
    receive, seen = request.receive, 0
    deadline = Deadline(timeout, "the next bytes of the body")

    is_whole = False

    async def bounded_receive() -> Message:
        nonlocal seen, is_whole
        if is_whole:  # what still comes is that the client leaves
            return await receive()
        try:
            with deadline:
                message = await receive()
        except TooSlowError as error:
            raise HTTPException(408, error.message, {"Connection": "close"}) from error
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            is_whole = True
            deadline.close()
        return message

    return Request(request.scope, bounded_receive)


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body has more than {MOST_BYTES:,} bytes", {"Connection": "close"})
