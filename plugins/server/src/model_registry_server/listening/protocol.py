"""HTTP connections that nobody can hold open, or fill memory through, without asking anything."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from model_registry_server.app import Application
from model_registry_server.listening.reading import Reading
from model_registry_server.listening.shares import Shares, is_among
from model_registry_server.listening.unread import Unread
from model_registry_server.listening.watch import Watch
from model_registry_server.security.limits import address_key
from model_registry_server.transfer.pace import USUAL, Pace

logger = logging.getLogger("model_registry.server")

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0
#: Bytes of a request's head, or of whatever else comes between two pieces of a body.
MOST_HEAD = 64 << 10
#: Of a request: each takes forty times its bytes, if it is short.
MOST_HEADERS = 256
#: Requests of a connection that wait for the answers before them. Hardly any client sends one before it has its answer.
MOST_WAITING = 10
#: Seconds after an answer in which the next request must begin.
_IDLE_SECONDS = 30.0
#: Bytes of a piece of an answer, or of several, that are held without being counted.
_SMALL = 64 << 10


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds where it has none: the time and size of a request's head, what comes after a body,
    how many requests wait for the answers before them, how slowly answers are taken, how much of them one caller leaves
    unread, the time after them, and how many connections there are, and are of one address.

    Trailers are dropped: they would be taken for headers, though whoever is in front has not seen them as such.
    """

    #: How slowly a client may take an answer.
    pace: ClassVar[Pace] = USUAL
    #: What is unread on all connections.
    unread: ClassVar[Unread] = Unread()
    #: How many connections each address has.
    shares: ClassVar[Shares] = Shares()

    _timer: asyncio.TimerHandle | None = None
    _watch: Watch
    _address: str | None = None
    _in_head = True
    _unused = 0
    _large = 0
    _high: int | None = None
    _taker = ""
    _served: RequestResponseCycle | None = None
    _next: tuple[RequestResponseCycle, Any] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = Reading(transport, lambda: self._waiting() > 0)
        self._watch = Watch(self.loop, transport, self.pace, self.give_up)
        if self._has_room():
            self._wait(HEAD_SECONDS, self._end_late)
        else:
            transport.abort()  # without an answer, which would cost more than it tells

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused > MOST_HEAD:
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        self._in_head = True
        self._wait(HEAD_SECONDS, self._end_late)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            if len(self.headers) == MOST_HEADERS:
                self.send_400_response("The request has too many headers.")
                raise ValueError("nothing more is parsed")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unused = 0
        self._stop_waiting()
        if self._waiting() == MOST_WAITING:
            self.transport.abort()  # an answer would come in the middle of those that are due
            raise ValueError("nothing more is parsed")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # else the next request is served
            self._wait(_IDLE_SECONDS, self._close)

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)
            self._hold_unsent()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch.begin()
        self._taker = _taker_of(self._served)
        self.unread.hold(self._taker, self, max(self._large, self.transport.get_write_buffer_size()))

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch.end()
        self.unread.release(self._taker, self)
        if self._next is not None and not self.transport.is_closing():
            cycle, app = self._next
            self._next = None
            self._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._watch.end()
        self.unread.release(self._taker, self)
        if self._address is not None:
            self.shares.give_back(self._address)
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

    def _has_room(self) -> bool:
        """Whether there may be one more connection, of this address. Those of proxies are of all the world."""
        if self.limit_concurrency is None:
            return True
        if len(self.connections) >= self.limit_concurrency:
            return False
        address = self.client[0] if self.client else ""
        if isinstance(self.config.app, Application) and is_among(address, self.config.app.server.options.proxies):
            return True
        if not self.shares.take(address, max(1, (self.limit_concurrency - 1) * 3 // 4)):
            return False
        self._address = address
        return True

    def _waiting(self) -> int:
        """Requests that wait for the answers before them."""
        return len(self.pipeline) + (self._next is not None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.flow.write_paused:
            self._next = cycle, app  # no answer is made while another one waits to be taken
            self.flow.pause_reading()
            return
        self._served = cycle
        self._large = 0
        self._set_limit(None)
        super()._start_asgi_task(cycle, self._noting_size(app))
        self.flow.resume_reading()

    def _noting_size(self, app: ASGIApp) -> Any:
        """The same application, of whose answers it is known how much memory they take until they are taken."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_noted(message: Message) -> None:
                size = len(message.get("body", b""))
                if size > _SMALL:
                    self._large = size
                    self._set_limit(0)
                await send(message)

            try:
                await app(scope, receive, send_noted)
            finally:
                self.loop.call_soon(self._hold_unsent)  # also of what uvicorn closes, as it ends in the middle

        return noting

    def _hold_unsent(self) -> None:
        """Count what is unsent, see whether it is taken, and answer nothing else before."""
        if self.transport.get_write_buffer_size():
            self._set_limit(0)

    def _set_limit(self, high: int | None) -> None:
        """Let no more bytes than these be unsent before others have to wait; None for the usual number.

        With 0, they wait until nothing is: a transport may keep all of an answer as long as it keeps a byte.
        """
        if high != self._high and self in self.connections:  # else it is closed, whoever still answers
            self._high = high
            self.transport.set_write_buffer_limits(high)

    def _end_late(self) -> None:
        """A head has not come in its time, unless nobody has read it."""
        if self._waiting():
            self._wait(HEAD_SECONDS, self._end_late)
        else:
            self._close()

    def _close(self) -> None:
        """Nothing is asked any more, but what is unsent may still be taken."""
        self.transport.close()
        self._hold_unsent()

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
    Paced.shares = Shares()
    return Paced


def _taker_of(cycle: RequestResponseCycle | None) -> str:
    """Whose answers they are that are unread. The application notes in the request who sent it."""
    if cycle is None:
        return ""
    caller = cycle.scope.get("state", {}).get("caller")
    return caller.taker if caller is not None else address_key((cycle.scope.get("client") or ("",))[0])
