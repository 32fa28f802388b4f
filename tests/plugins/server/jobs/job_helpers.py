"""What the tests of jobs share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

#: Much longer than anything takes; a test that waits so long has failed.
SECONDS = 30.0

T = TypeVar("T")


def is_running(pid: int) -> bool:
    """False also for a process that has ended and that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


async def soon(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


async def within_reason(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, SECONDS)
