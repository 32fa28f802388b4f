"""HTTP connections that nobody can hold open, or fill memory through, without asking anything."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from model_registry_server.transfer.pace import USUAL, Pace

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0
#: Bytes of a request's head, or of whatever else comes between two pieces of a body.
MOST_HEAD = 64 << 10
#: Seconds after an answer in which the next request must begin.
_IDLE_SECONDS = 30.0


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
        super().connection_lost(exc)

    def _begin_watch(self) -> None:
        """From now on, look now and then whether an answer is taken, until all of it is, or there is room for more."""
        self._end_watch()
        self._unsent = 0
        if self.pace.seconds is not None:
            self._watch = self.loop.call_later(self.pace.seconds, self._look)

    def _look(self) -> None:
        self._watch = None
        if not self.transport.get_write_buffer_size():
            return
        before, self._unsent = self._unsent, _unsent(self.transport)
        if before and before - self._unsent < min(self.pace.least, before):
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.pace.seconds or 0, self._look)

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


def _unsent(transport: asyncio.WriteTransport) -> int:
    """Bytes that the client has not got: those that the transport keeps, and those that the system does.

    Without the latter, a slow client would seem to take nothing for minutes, then as much as the system can keep.
    """
    try:
        queue = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:  # a system that does not tell
        queue = bytes(4)
    return transport.get_write_buffer_size() + int(struct.unpack("i", queue)[0])
