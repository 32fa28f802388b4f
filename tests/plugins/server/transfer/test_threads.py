"""Work in threads: whoever is cancelled waits for it, because it uses what will be closed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from model_registry_server.transfer.threads import in_thread


def test_a_task_that_is_cancelled_again_and_again_ends_after_its_thread() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait(10)
        has_ended.set()

    async def cancelled() -> None:
        task = asyncio.ensure_future(in_thread(work))
        for _ in range(3):
            await asyncio.sleep(0.02)
            task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert has_ended.is_set()

    asyncio.run(cancelled())


def test_what_a_thread_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 // 0))
