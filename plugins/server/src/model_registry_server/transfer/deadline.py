"""A limit for each wait of a task: one timer for all of them, where ``asyncio.wait_for`` would make a task for each."""

from __future__ import annotations

import asyncio
from types import TracebackType

from model_registry_server.transfer.errors import TooSlowError


class Deadline:
    """Used again and again: ``with deadline: await …``. Close it in the end.

    :param seconds: What each wait may take; None for any time.
    :param what: What is waited for, for the error's message.
    """

    def __init__(self, seconds: float | None, what: str) -> None:
        self._seconds = seconds
        self._what = what
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        self._since = self._loop.time()
        self._task = asyncio.current_task()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._since = None
        if self._over and kind is not None and issubclass(kind, asyncio.CancelledError):
            uncancel = getattr(self._task, "uncancel", None)  # since Python 3.11
            if uncancel is not None:
                uncancel()
            message = f"{self._what} did not come within {self._seconds:g} seconds"
            raise TooSlowError(message, hint="try again; what came before is kept", seconds=self._seconds) from error

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None or self._seconds is None or self._task is None:
            return  # nothing is waited for now; the next wait begins a timer of its own
        left = self._since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._over = True
            self._task.cancel()
