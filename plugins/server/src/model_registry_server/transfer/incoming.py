"""A request's body, piece by piece, within its limits of size and time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType

from model_registry_server.transfer.deadline import Deadline
from model_registry_server.transfer.errors import TooLargeError
from model_registry_server.transfer.pace import Pace

#: Asked for so many bytes before they are kept; raises if they may not be.
Take = Callable[[int], Awaitable[None]]


class Incoming:
    """``with Incoming(…) as body:`` and ``await body.read()`` until that is empty.

    :param stream: Such as Starlette's ``request.stream()``, which raises ``ClientDisconnect`` if the client leaves.
    :param limit: The most bytes that may come; None for any number.
    :param pace: How slowly they may come.
    """

    def __init__(self, stream: AsyncIterator[bytes], limit: int | None, pace: Pace) -> None:
        self.size = 0
        self._stream = stream
        self._limit = limit
        self._deadline = Deadline(pace, "the body")

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._deadline.close()

    async def read(self) -> bytes:
        """What has come; empty at the end.

        :raises TooLargeError: More came than may.
        :raises TooSlowError: Too little came in time.
        """
        data = b""
        try:
            while not data:
                with self._deadline:
                    data = await self._stream.__anext__()
        except StopAsyncIteration:
            return b""
        self._deadline.came(len(data))
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            raise TooLargeError(f"the body has more than {self._limit:,} bytes", limit=self._limit)
        return data
