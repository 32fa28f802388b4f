"""When a connection is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Reading(FlowControl):
    """Nothing more is read while a request waits for the answers before it, whoever wants more.

    What comes meanwhile, further requests or a body that nobody takes yet, stays with the client.
    """

    def __init__(self, transport: asyncio.Transport, is_waiting: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_waiting = is_waiting

    def resume_reading(self) -> None:
        """Go on, unless a request waits."""
        if self.read_paused and not self._is_waiting():
            super().resume_reading()
