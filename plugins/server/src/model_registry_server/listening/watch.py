"""Whether a client takes its answers, looked at as seldom as it can be."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable

from model_registry_server.listening.lag import Lag
from model_registry_server.transfer.pace import Pace


class Watch:
    """On one connection, while something is unsent of what was written.

    :param give_up: Called with the reason when too little was taken for too long.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        pace: Pace,
        give_up: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._pace = pace
        self._lag = Lag(pace)
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """From now on, time counts."""
        if self._timer is None and self._pace.seconds is not None:
            self._lag.begin(self._loop.time(), _unsent_of(self._transport))
            self._look()

    def end(self) -> None:
        """All was taken, or the connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if not self._transport.is_closing():
                self._lag.look(self._loop.time(), _unsent_of(self._transport))

    def _look(self) -> None:
        left = self._lag.look(self._loop.time(), _unsent_of(self._transport))
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._timer = None
            self._give_up("too little of it was taken for too long")


def _unsent_of(transport: asyncio.WriteTransport) -> int:
    """Bytes that the client has not got: those that the transport keeps, and those that the system does.

    Without the latter, a slow client would seem to take nothing for minutes, then as much as the system can keep.
    """
    try:
        queue = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # a system that does not tell, or a socket that was closed
        queue = bytes(4)
    return transport.get_write_buffer_size() + int(struct.unpack("i", queue)[0])
