"""Bodies that are read whole, such as JSON: bounded in size and time, and checked. Those of files are streamed
elsewhere."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from fastapi import HTTPException, Request
from starlette.types import Message

from model_registry_server.errors import TooManyRequestsError
from model_registry_server.limits.held import Take
from model_registry_server.transfer.announced import announced_length
from model_registry_server.transfer.deadline import Deadline
from model_registry_server.transfer.digests import claimed_digest, require_digest
from model_registry_server.transfer.errors import DigestMismatchError, TooLargeError, TooSlowError, TransferError
from model_registry_server.transfer.pace import Pace

MOST_BYTES = 8 << 20
#: Values of a body, each of which takes many times its bytes when it is parsed.
_MOST_VALUES = 250_000


class BodyRefused(HTTPException):
    """Carries an error through FastAPI, which makes a 400 of whatever else is raised while it reads a body."""

    def __init__(self, error: TransferError | TooManyRequestsError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


class _Bounded(Request):
    """A request whose body is parsed on the event loop, and holds up all others so long.

    A thread would do so, too: the parser lets no other go on until it has ended. So what may come is bounded instead:
    as much as takes a tenth of a second or two, and for most routes some hundredths.
    """

    async def json(self) -> Any:
        """:raises BodyRefused: if there is more in it than anybody needs.
        :raises ValueError: if it is no JSON; it may also be a ``RecursionError``.
        """
        body = await self.body()
        if sum(body.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
            hint = "send less at once"
            raise BodyRefused(TooLargeError(f"the body has more than {_MOST_VALUES:,} values", hint=hint))
        return json.loads(body)


def bounded(request: Request, pace: Pace, take: Take, most: int = MOST_BYTES) -> Request:
    """The same request, whose body may have so many bytes, must come, and has the digest that was told.

    :param take: Is told of bytes as they come.
    :param most: Bytes that it may have.
    :raises BodyRefused: for what is too large, too slow or another body, when it is read.
    :raises InvalidBodyError: for a digest that cannot be checked.
    """
    if (announced_length(request.headers) or 0) > most:
        raise _too_large(most)
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
        if seen > most:
            raise _too_large(most)
        try:
            take(len(piece))
        except TooManyRequestsError as error:
            raise BodyRefused(error) from error
        if not message.get("more_body"):
            is_whole = True
            deadline.close()
            if message["type"] == "http.request":
                _check(claimed, running.hexdigest())
        return message

    return _Bounded(request.scope, bounded_receive)


def _check(claimed: str | None, found: str) -> None:
    try:
        require_digest(claimed, found, "the body")
    except DigestMismatchError as error:
        raise BodyRefused(error) from error


def _too_large(most: int) -> BodyRefused:
    hint = "send less at once; files of any size are sent in parts, by POST /uploads"
    return BodyRefused(TooLargeError(f"the body has more than {most:,} bytes", hint=hint, limit=most))
