"""HTTP connections that may not be held open by those who never ask anything."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds in which a request's head must have come, from the connection on, or from its first byte.
HEAD_SECONDS = 20.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, but for the time that a client may take until its request's head is complete.

    Nothing else bounds that: a client that sends a byte a minute would hold a connection for ever.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            transport.abort()  # without an answer, which would cost more than it tells
            return
        self._waiting = self.loop.call_later(HEAD_SECONDS, transport.close)

    def on_message_begin(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
