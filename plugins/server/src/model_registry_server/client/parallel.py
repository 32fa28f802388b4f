"""Several transfers at once: the first that fails ends them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context

AT_ONCE = 8


class Stopped(Exception):  # noqa: N818 - it is no error: somebody else's is told
    """Another transfer failed, so this one was given up."""


class Stop:
    """Asked between two pieces."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Let everybody stop."""
        self._event.set()

    def check(self) -> None:
        """:raises Stopped: if everybody has to."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep so long.

        :raises Stopped: as soon as everybody has to.
        """
        if self._event.wait(seconds):
            raise Stopped


def do_all(tasks: Iterable[Callable[[Stop], object]]) -> None:
    """Do all of them, some at once; each knows when it is to stop.

    :raises Exception: the first that any of them raised.
    """
    stop = Stop()
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="model-registry-transfer")
    try:
        futures = [pool.submit(copy_context().run, task, stop) for task in tasks]
        wait(futures, return_when=FIRST_EXCEPTION)
        failed = [error for future in futures if future.done() and (error := future.exception()) is not None]
        if failed:
            raise failed[0]
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
