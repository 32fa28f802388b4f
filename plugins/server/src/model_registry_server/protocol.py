"""HTTP connections that nobody can hold open, or fill memory through, without asking anything."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0
#: Bytes of a request's head, or of whatever else comes between two pieces of a body.
MOST_HEAD = 64 << 10
#: Seconds after an answer in which a client must have taken some of it, and its next request must begin.
_IDLE_SECONDS = 30.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds where it has none: the time and size of a request's head, what comes after a body,
    the time after an answer, and how many connections there are.

    Trailers are dropped: they would be taken for headers, though whoever is in front has not seen them as such.
    """

    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _unused = 0
    _unsent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            transport.abort()  # without an answer, which would cost more than it tells
        else:
            self._wait(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        self._in_head = True
        self._wait(HEAD_SECONDS, self.transport.close)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unused = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # else the next request is served
            self._unsent = self.transport.get_write_buffer_size()
            self._wait(_IDLE_SECONDS, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _end(self) -> None:
        """End a connection on which nothing happens; what is still being taken may go on."""
        unsent, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if self._unsent == 0:
            self.transport.close()
        elif self._unsent < unsent:
            self._wait(_IDLE_SECONDS, self._end)
        else:
            self.transport.abort()

    def _wait(self, seconds: float, then: Any) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
