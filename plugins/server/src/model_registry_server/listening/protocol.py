"""HTTP connections that nobody can hold open, or fill memory through, without asking anything."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from model_registry_server.api.downloads import taker_of
from model_registry_server.listening.lag import Lag
from model_registry_server.listening.unread import Unread
from model_registry_server.security.limits import address_key
from model_registry_server.transfer.pace import USUAL, Pace

logger = logging.getLogger("model_registry.server")

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0
#: Bytes of a request's head, or of whatever else comes between two pieces of a body.
MOST_HEAD = 64 << 10
#: Seconds after an answer in which the next request must begin.
_IDLE_SECONDS = 30.0
#: Bytes of a piece of an answer, or of several, that are held without being counted.
_SMALL = 64 << 10


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds where it has none: the time and size of a request's head, what comes after a body,
    how slowly answers are taken, how much of them one caller leaves unread, the time after them, and how many
    connections there are.

    Trailers are dropped: they would be taken for headers, though whoever is in front has not seen them as such.
    """

    #: How slowly a client may take an answer.
    pace: ClassVar[Pace] = USUAL
    #: What is unread on all connections.
    unread: ClassVar[Unread] = Unread()

    _timer: asyncio.TimerHandle | None = None
    _watch: asyncio.TimerHandle | None = None
    _lag: Lag
    _in_head = True
    _unused = 0
    _large = 0
    _taker = ""
    _served: RequestResponseCycle | None = None
    _next: tuple[RequestResponseCycle, Any] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._lag = Lag(self.pace)
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
        if self.cycle.response_complete:  # else the next request is served
            self._wait(_IDLE_SECONDS, self._close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._begin_watch()
        self._taker = _taker_of(self._served)
        self.unread.hold(self._taker, self, max(self._large, self.transport.get_write_buffer_size()))

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_watch()
        self.unread.release(self._taker, self)
        if self._next is not None and not self.transport.is_closing():
            cycle, app = self._next
            self._next = None
            self._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._end_watch()
        self.unread.release(self._taker, self)
        self._next = None
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True  # uvicorn tells only the last request that came of several
            self._served.message_event.set()
        super().connection_lost(exc)

    def give_up(self, why: str) -> None:
        """Close the connection at once, without what is unsent."""
        client = self.client[0] if self.client else "somebody"
        logger.warning("an answer to %s was given up: %s", client, why)
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.flow.write_paused:
            self._next = cycle, app  # no answer is made while another one waits to be taken
            return
        self._served = cycle
        if self._large:
            self._large = 0
            self._set_limit(None)
        super()._start_asgi_task(cycle, self._noting_size(app))

    def _noting_size(self, app: ASGIApp) -> Any:
        """The same application, of whose answers it is known how much memory they take until they are taken."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_noted(message: Message) -> None:
                size = len(message.get("body", b""))
                if size > _SMALL:
                    self._large = size
                    # A transport may keep all of it as long as it keeps a byte: there is room when there is nothing.
                    self._set_limit(0)
                await send(message)

            await app(scope, receive, send_noted)

        return noting

    def _set_limit(self, high: int | None) -> None:
        """Let no more bytes than these be unsent before others have to wait; None for the usual number."""
        if not self.transport.is_closing():
            self.transport.set_write_buffer_limits(high)

    def _close(self) -> None:
        """Nothing is asked any more, but what is unsent may still be taken."""
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._begin_watch()

    def _begin_watch(self) -> None:
        """From now on, see whether what is unsent is taken, until all of it is."""
        if self._watch is None and self.pace.seconds is not None:
            self._lag.begin(self.loop.time(), _unsent_of(self.transport))
            self._look()

    def _look(self) -> None:
        left = self._lag.look(self.loop.time(), _unsent_of(self.transport))
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
        else:
            self._watch = None
            self.give_up("too little of it was taken for too long")

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
            if not self.transport.is_closing():
                self._lag.look(self.loop.time(), _unsent_of(self.transport))

    def _wait(self, seconds: float, then: Any) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def patient(pace: Pace) -> type[PatientProtocol]:
    """The protocol of a server, for clients of a pace."""

    class Paced(PatientProtocol):
        pass

    Paced.pace = pace
    Paced.unread = Unread()
    return Paced


def _taker_of(cycle: RequestResponseCycle | None) -> str:
    """Whose answers they are that are unread. The application notes in the request who sent it."""
    if cycle is None:
        return ""
    caller = cycle.scope.get("state", {}).get("caller")
    return taker_of(caller) if caller is not None else address_key((cycle.scope.get("client") or ("",))[0])


def _unsent_of(transport: asyncio.WriteTransport) -> int:
    """Bytes that the client has not got: those that the transport keeps, and those that the system does.

    Without the latter, a slow client would seem to take nothing for minutes, then as much as the system can keep.
    """
    try:
        queue = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # a system that does not tell, or a socket that was closed
        queue = bytes(4)
    return transport.get_write_buffer_size() + int(struct.unpack("i", queue)[0])
