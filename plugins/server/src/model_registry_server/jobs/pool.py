"""The worker processes of a server: so many at once, kept warm for a while."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from model_registry_server.jobs.failures import WorkerError
from model_registry_server.jobs.process import Progress, TakePart, WorkerProcess
from model_registry_server.jobs.protocol import TASK_MODULE, line_of


class WorkerPool:
    """Does tasks in processes. Used by one event loop.

    :param size: How many at once. Who comes later waits, the first to come being the first to go on.
    :param registry: Keywords for ``ModelRegistry``, of JSON types.
    :param idle_seconds: How long a process without work is kept.
    :param environment: Variables for the processes, beside the server's own.
    :param tasks: Modules with tasks.
    """

    def __init__(
        self,
        size: int,
        registry: Mapping[str, Any],
        idle_seconds: float,
        environment: Mapping[str, str] | None = None,
        *,
        tasks: Sequence[str] = (TASK_MODULE,),
    ) -> None:
        self.size = size
        self._registry = dict(registry)
        self._idle_seconds = idle_seconds
        self._environment = dict(environment or {})
        self._tasks = tuple(tasks)
        self._places = asyncio.Semaphore(size)
        self._busy: set[WorkerProcess] = set()
        self._idle: dict[WorkerProcess, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[int]] = set()
        self._closed = False

    async def run(
        self,
        task: str,
        arguments: Mapping[str, Any],
        actor: str,
        on_progress: Progress | None = None,
        on_part: TakePart | None = None,
    ) -> Any:
        """Do a task, and return its result. Cancelled, it kills the process and waits until that is gone.

        :param actor: Who is recorded for what is changed.
        :param on_progress: Called with each report of how far the task has come: ``what``, ``bytes_done``,
            ``bytes_total``, ``items_done``, ``items_total``.
        :param on_part: Awaited with each part of the result that is told before the end.
        :raises WorkerError: for whatever failed.
        """
        order = line_of({"task": task, "arguments": dict(arguments), "actor": actor, "registry": self._registry})
        async with self._places:
            worker = await self._take()
            try:
                answer = await worker.ask(order, on_progress, on_part)
            except BaseException:
                await self._end(worker)
                raise
            self._give_back(worker)
        if "error" in answer:
            raise WorkerError(**answer["error"])
        return answer["result"]

    async def close(self) -> None:
        """End every process, at work or not, and wait until they are gone. What is still asked for fails."""
        self._closed = True
        for worker in self._busy:
            worker.kill()
        for worker in list(self._idle):
            self._retire(worker)
        for _ in range(self.size):  # until nobody has a place, nor waits for one
            await self._places.acquire()
        for _ in range(self.size):
            self._places.release()
        await asyncio.gather(*self._ending)

    async def _take(self) -> WorkerProcess:
        if self._closed:
            raise WorkerError("StorageError", "the server is being stopped", "try again when it is back")
        while self._idle:
            worker, timer = self._idle.popitem()  # the one that worked last: the others may end
            timer.cancel()
            if worker.is_alive:
                break
            await self._end(worker)
        else:
            worker = await WorkerProcess.start(self._tasks, {**os.environ, **self._environment})
        self._busy.add(worker)
        if self._closed:  # while it was started
            worker.kill()
        return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        self._busy.discard(worker)
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._retire, worker)
        self._idle[worker] = timer
        if self._closed:
            self._retire(worker)

    def _retire(self, worker: WorkerProcess) -> None:
        """End a process that has no work."""
        self._idle.pop(worker).cancel()
        self._kill(worker)

    async def _end(self, worker: WorkerProcess) -> None:
        """End a process, and wait for that; it ends even if nobody waits."""
        self._busy.discard(worker)
        await asyncio.shield(self._kill(worker))

    def _kill(self, worker: WorkerProcess) -> asyncio.Task[int]:
        worker.kill()
        ending = asyncio.create_task(worker.gone())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return ending
