"""The threads that read, hash and write, so that a slow disk holds up neither the event loop nor other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: More would wait for the same disk. They begin when they are first needed.
_THREADS = ThreadPoolExecutor(16, thread_name_prefix="transfer")


def begin(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Begin work in a thread. Whoever begins it must await :func:`ended`."""
    return asyncio.get_running_loop().run_in_executor(_THREADS, lambda: function(*args, **kwargs))


async def ended(work: asyncio.Future[T]) -> T:
    """The result of the work. If this task is cancelled, the work is waited for first: it uses what will be closed."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        work.exception()  # looked at, so that asyncio does not report it as forgotten
        raise


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something in a thread and wait for it."""
    return await ended(begin(function, *args, **kwargs))
