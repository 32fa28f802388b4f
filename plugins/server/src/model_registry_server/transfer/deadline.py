"""A limit for the waits of a task: one timer for all of them, where ``asyncio.wait_for`` would make a task for each."""

from __future__ import annotations

import asyncio
from types import TracebackType

from model_registry_server.transfer.errors import TooSlowError
from model_registry_server.transfer.pace import Pace


class Deadline:
    """Used again and again: ``with deadline: await …``, then :meth:`came`. Close it in the end.

    Only waits count: what is done with the bytes in between may take its time.

    :param pace: How long may be waited, and for how many bytes.
    :param what: What is waited for, for the error's message.
    """

    def __init__(self, pace: Pace, what: str) -> None:
        self._pace = pace
        self._what = what
        self._loop = asyncio.get_running_loop()
        self._waited = 0.0
        self._came = 0
        self._since: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def __enter__(self) -> None:
        if self._pace.seconds is None:
            return
        self._since = self._loop.time()
        self._task = asyncio.current_task()
        if self._timer is None:
            self._timer = self._loop.call_later(self._pace.seconds - self._waited, self._look)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._since is not None:
            self._waited += self._loop.time() - self._since
            self._since = None
        if self._over and kind is not None and issubclass(kind, asyncio.CancelledError):
            uncancel = getattr(self._task, "uncancel", None)  # since Python 3.11
            if uncancel is not None:
                uncancel()
            raise self._too_slow() from error

    def came(self, count: int) -> None:
        """So many bytes did. When there are enough of them, time begins anew."""
        self._came += count
        if self._came >= self._pace.least:
            self._came, self._waited = 0, 0.0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None or self._pace.seconds is None or self._task is None:
            return  # nothing is waited for now; the next wait begins a timer of its own
        left = self._pace.seconds - self._waited - (self._loop.time() - self._since)
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._over = True
            self._task.cancel()

    def _too_slow(self) -> TooSlowError:
        least, seconds = self._pace.least, self._pace.seconds
        wanted = "nothing" if not self._came else f"only {self._came:,} of at least {least:,} bytes"
        message = f"{wanted} of {self._what} came within {seconds:g} seconds"
        return TooSlowError(message, hint="try again with a faster connection", seconds=seconds)
