"""HTTP connections that nobody can hold open, or fill memory through, without asking anything."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from model_registry_server.transfer.pace import USUAL, Pace

logger = logging.getLogger("model_registry.server")

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0
#: Bytes of a request's head, or of whatever else comes between two pieces of a body.
MOST_HEAD = 64 << 10
#: Seconds after an answer in which the next request must begin.
_IDLE_SECONDS = 30.0
#: Bytes that a client may have taken before any of it shows: its system opens a window that was full when a sixteenth
#: of the connection's buffer is free, and buffers grow to 32 MiB.
_UNSEEN = 2 << 20
#: Bytes a second by which those are waited for, if any number may pass.
_ANY_RATE = 1000.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds where it has none: the time and size of a request's head, what comes after a body,
    how slowly an answer is taken, the time after it, and how many connections there are.

    Trailers are dropped: they would be taken for headers, though whoever is in front has not seen them as such.
    """

    #: How slowly a client may take an answer.
    pace: ClassVar[Pace] = USUAL

    _timer: asyncio.TimerHandle | None = None
    _watch: asyncio.TimerHandle | None = None
    _in_head = True
    _unused = 0
    _unsent_before = 0
    _served: RequestResponseCycle | None = None

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
        self._begin_watch()
        if self.cycle.response_complete and not self.transport.is_closing():  # else the next request is served
            self._wait(_IDLE_SECONDS, self.transport.close)  # which lets what is unsent still be taken

    def pause_writing(self) -> None:
        super().pause_writing()
        self._begin_watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.cycle.response_complete:
            self._begin_watch()  # of the rest
        else:
            self._end_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._end_watch()
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True  # uvicorn tells only the last request that came of several
            self._served.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def _begin_watch(self) -> None:
        """From now on, look now and then whether an answer is taken, until all of it is, or there is room for more."""
        self._end_watch()
        self._unsent_before = 0
        if self.pace.seconds is not None:
            self._watch = self.loop.call_later(self.pace.seconds, self._look)

    def _look(self) -> None:
        self._watch = None
        if not self.transport.get_write_buffer_size():
            return
        span = span_of_answer(self.pace)
        before, self._unsent_before = self._unsent_before, _unsent_of(self.transport)
        taken = before - self._unsent_before
        if before and 0 <= taken < min(self.pace.least, before):  # below 0, there was room for another answer
            client = self.client[0] if self.client else "somebody"
            logger.warning("an answer to %s was given up: %d bytes of it were taken in %g seconds", client, taken, span)
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(span, self._look)

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _wait(self, seconds: float, then: Any) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def patient(pace: Pace) -> type[PatientProtocol]:
    """The protocol for clients of a pace."""

    class Paced(PatientProtocol):
        pass

    Paced.pace = pace
    return Paced


def span_of_answer(pace: Pace) -> float:
    """Seconds within which it is seen that a client takes the least bytes of a pace, if it takes them at that pace.

    They are many: 35 minutes by the usual options. So long, a client that takes nothing costs a connection.
    """
    return (pace.seconds or 0) + _UNSEEN / (pace.rate or _ANY_RATE)


def _unsent_of(transport: asyncio.WriteTransport) -> int:
    """Bytes that the client has not got: those that the transport keeps, and those that the system does.

    Without the latter, a slow client would seem to take nothing for minutes, then as much as the system can keep.
    """
    try:
        queue = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:  # a system that does not tell
        queue = bytes(4)
    return transport.get_write_buffer_size() + int(struct.unpack("i", queue)[0])
