"""Turns: what one caller asks for waits for what the same caller asked for before, and nobody else does."""

from __future__ import annotations

import asyncio
from collections import defaultdict

#: Pieces of work that one caller has under way at once.
_AT_ONCE = 1


class Turns:
    """Who waits for whom: the looks of each caller are one queue."""

    def __init__(self) -> None:
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._wanted: defaultdict[str, int] = defaultdict(int)

    async def take(self, owner: str) -> None:
        """Wait for one's turn."""
        self._wanted[owner] += 1
        try:
            await self._places[owner].acquire()
        except BaseException:
            self._forget(owner)
            raise

    def give_back(self, owner: str) -> None:
        """Let the next one of the same caller have it."""
        self._places[owner].release()
        self._forget(owner)

    def _forget(self, owner: str) -> None:
        self._wanted[owner] -= 1
        if not self._wanted[owner]:
            del self._wanted[owner], self._places[owner]
