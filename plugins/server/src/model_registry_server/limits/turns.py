"""Turns: what one caller asks for waits for what the same caller asked for before, and nobody else does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Who waits for whom: the work of each caller is one queue. Used by one event loop.

    :param at_once: Pieces of work that one caller has under way at once.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))
        self._wanted: defaultdict[str, int] = defaultdict(int)

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for one's turn, and have it for a block."""
        self._wanted[owner] += 1
        try:
            async with self._places[owner]:
                yield
        finally:
            self._wanted[owner] -= 1
            if not self._wanted[owner]:
                del self._wanted[owner], self._places[owner]
