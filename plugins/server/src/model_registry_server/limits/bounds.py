"""Bounds on what comes, that bodies beside each other cannot pass together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from model_registry_server.transfer.errors import TooLargeError

logger = logging.getLogger("model_registry.server")

#: For how many times as long as it took a look counts, and seconds that it does at least. What others than bodies write
#: is noticed then; what bodies bring counts at once.
_FRESH = 20, 1.0
#: For how many times as long as it took a look counts that found too little room: whoever is refused again and again
#: makes the disk no busier than this.
_FRESH_REFUSAL = 4


class Bound:
    """The most bytes of something. Each byte counts when it comes, so nobody keeps others out by announcing much.

    :param option: The option that says how many.
    :param look: How many are there, without those of bodies under way. It may wait for the disk.
    :param longest: Seconds that a look counts at most, however long it took.
    """

    def __init__(self, most: int, option: str, look: Callable[[], int] | None = None, *, longest: float = 30.0) -> None:
        self._most = most
        self._option = option
        self._look = look
        self._longest = longest
        self._looked = float("-inf")  # when the last look began
        self._fresh_until = float("-inf")
        self._took = 0.0  # seconds of the last look
        self._refusing_until = float("-inf")
        self._looking = threading.Lock()
        self._line = CapacityLimiter(1)  # who waits for somebody else's look holds no thread
        self._meanwhile: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._there = 0  # at the last look, and what has ended since
        self._coming = 0
        self._ended = 0
        self._ended_before = 0  # when the last look began

    async def require(self, count: int) -> None:
        """:raises TooLargeError: unless so many bytes may come now."""
        await self._make_sure(count)
        self._refuse_beyond(count)

    def require_in_thread(self, count: int) -> None:
        """The same, for a thread: it waits for the disk. While somebody else looks it lets pass what may be too much,
        since whoever waited for that would hold a thread; the bytes are refused when they come.

        :raises TooLargeError: likewise.
        """
        now = time.monotonic()
        if self._is_unsure(count, now):
            if self._looking.locked():
                return
            self._look_for(count, now)
        self._refuse_beyond(count)

    async def take(self, count: int) -> None:
        """So many bytes come.

        :raises TooLargeError: if these may not.
        """
        await self._make_sure(count)
        with self._lock:
            self._refuse_beyond(count)
            self._coming += count

    def end(self, count: int, *, stays: bool) -> None:
        """A body has ended that had taken so many bytes.

        :param stays: They may be there still; the next look tells.
        """
        with self._lock:
            self._coming -= count
            if stays:
                self._there += count
                self._ended += count

    async def _make_sure(self, count: int) -> None:
        now = time.monotonic()
        if not self._is_unsure(count, now):
            return
        if self._looked > float("-inf") and count <= self._room():
            self._look_meanwhile(now)
        else:
            await run_sync(self._look_for, count, now, limiter=self._line)

    def _look_meanwhile(self, now: float) -> None:
        """By the last look there is room, so nobody waits for the next one, which may take minutes."""
        if self._meanwhile is None or self._meanwhile.done():
            self._meanwhile = asyncio.create_task(run_sync(self._look_again, now, limiter=self._line))
            self._meanwhile.add_done_callback(_note_failure)

    def _is_unsure(self, count: int, now: float) -> bool:
        if self._look is None or count > self._most:
            return False
        if count <= self._room():
            return now > self._fresh_until
        return now > self._refusing_until or self._ended != self._ended_before

    def _look_for(self, count: int, wanted: float) -> None:
        """Look; and once more before so many bytes are refused, if what ended meanwhile may have been counted twice."""
        self._look_again(wanted)
        if count > self._room() and self._ended != self._ended_before:
            self._look_again(time.monotonic())
        if count > self._room():
            self._refusing_until = time.monotonic() + min(_FRESH_REFUSAL * self._took, self._longest)

    def _look_again(self, wanted: float) -> None:
        with self._looking:
            if self._look is None or self._looked >= wanted:
                return  # somebody has, since it was wanted
            begun, ended = time.monotonic(), self._ended
            try:
                there = self._look()
            except Exception:
                self._fresh_until = time.monotonic() + _FRESH[1]  # not again for each piece of a body
                raise
            with self._lock:
                self._there = there + self._ended - ended  # a body that ended meanwhile may have been seen, or not
                self._looked, self._ended_before = begun, ended
            times, least = _FRESH
            now = time.monotonic()
            self._took = now - begun
            self._fresh_until = now + min(max(times * self._took, least), self._longest)

    def _room(self) -> int:
        return self._most - self._there - self._coming

    def _refuse_beyond(self, count: int) -> None:
        hint = f"{self._option} of [plugins.server] says how much may"
        if count > self._most:  # whatever is there
            message = f"{count:,} bytes are too much: no more than {self._most:,} may come"
            raise TooLargeError(message, hint=hint, limit=self._most, option=self._option)
        room = max(self._room(), 0)
        if count > room:
            message = f"{count:,} bytes more are too much: {room:,} may come"
            raise TooLargeError(message, hint=hint, limit=room, option=self._option)


def _note_failure(task: asyncio.Task[None]) -> None:
    """Whoever finds no room looks again, and is told what is wrong with the disk."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("how much room is left could not be seen: %s", error)


class Body:
    """The bytes of one body, counted against bounds: ``with Body(…) as body:``.

    :param stays: What came of it stays, if the rest does not; otherwise others may have its room as soon as it is
        refused, so that of several that are too much together one gets through.
    """

    def __init__(self, bounds: Iterable[Bound], *, stays: bool) -> None:
        self._taken = dict.fromkeys(bounds, 0)
        self._stays = stays

    async def require(self, count: int) -> None:
        """:raises TooLargeError: unless so many bytes may come now."""
        for bound in self._taken:
            await bound.require(count)

    async def take(self, count: int) -> None:
        """So many bytes come.

        :raises TooLargeError: if these may not.
        """
        for bound in self._taken:
            try:
                await bound.take(count)
            except TooLargeError:
                if not self._stays:
                    self._end(stays=False)
                raise
            self._taken[bound] += count

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._end(stays=True)

    def _end(self, *, stays: bool) -> None:
        for bound, count in self._taken.items():
            bound.end(count, stays=stays)
        self._taken = dict.fromkeys(self._taken, 0)
