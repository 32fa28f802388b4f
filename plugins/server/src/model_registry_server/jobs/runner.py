"""Jobs taken from the store to the workers, in order, and told of to whoever follows them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from attrs import evolve

from model_registry import StorageError
from model_registry_server.jobs.board import Board
from model_registry_server.jobs.failures import WorkerError, error_document
from model_registry_server.jobs.job import Job
from model_registry_server.jobs.pool import WorkerPool
from model_registry_server.jobs.store import Jobs

logger = logging.getLogger("model_registry")

T = TypeVar("T")

#: Seconds after which the state is written again that could not be written.
_RETRY_SECONDS = 1.0


class Runner:
    """Runs jobs, as many at once as the pool has processes. One for a server; it is started and stopped once.

    :param jobs: Where jobs are remembered. It is used in a thread of its own, so a slow disk holds up no request.
    :param pool: Who does them. Whoever made it closes it, after the runner was stopped.
    :param take: Called with each part of a job's result that is told before its end, in the thread of the jobs. A
        StorageError means that it is called again. Parts are taken also of a job that fails later, or is begun anew.
    """

    def __init__(self, jobs: Jobs, pool: WorkerPool, take: Callable[[Job, Any], object] | None = None) -> None:
        self._jobs = jobs
        self._pool = pool
        self._take = take
        self._board = Board()
        self._thread = ThreadPoolExecutor(1, "jobs")  # one: what is written first is seen first
        self._added = asyncio.Event()
        self._places = asyncio.Semaphore(pool.size)
        self._works: dict[str, asyncio.Task[Any]] = {}
        self._unwanted: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Take up what the last server left, and run what is queued."""
        await self._store(self._jobs.requeue_running)
        self._begin(self._dispatch())

    def hush(self) -> None:
        """Tell whoever follows a job, or waits for one, that there will be no more news."""
        self._board.close()

    async def stop(self) -> None:
        """Kill what runs and wait until it is gone; the next start continues it. Followers hear no more."""
        self._stopping = True
        self._added.set()
        for work in self._works.values():
            work.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._board.close()
        await self._store(self._jobs.release)
        self._thread.shutdown()

    async def submit(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        actor: str,
        models: Iterable[str],
        key: str | None = None,
        owner: str = "",
    ) -> Job:
        """Queue a job; when this returns, it survives the server.

        :param kind: The name of a task.
        :param models: The names of the models that it is about.
        :param key: If a job of this key is queued or running, it is that one that is returned.
        :param owner: Whose it is: owners take turns. Default: the actor.
        """
        try:
            return await self._store(self._jobs.add, kind, arguments, actor, models, key, owner)
        finally:
            self._added.set()  # even if nobody waits for the answer any more

    async def get(self, id: str) -> Job:
        """A job as it is now.

        :raises JobNotFoundError: if there is none.
        """
        return await self._store(self._jobs.get, id)

    async def cancel(self, id: str) -> Job:
        """Cancel a job: at once if it waits; if it runs, its process is killed. One that has ended stays as it is.

        :raises JobNotFoundError: if there is none.
        """
        return await asyncio.shield(self._begin(self._cancel(id)))

    async def follow(self, id: str) -> AsyncIterator[Job]:
        """The job as it is now, and after each change; the last time when it has ended, or the server is stopped.

        Who is slow misses what lies in between, never the end.

        :raises JobNotFoundError: if there is none.
        """
        watched = self._board.watch(id)
        changed = watched.changed  # before it is read: a change in between is not missed
        is_over = self._board.is_closed
        job = await self.get(id)
        yield job
        while not (job.ended or is_over):
            await changed.wait()
            changed, news = watched.changed, watched.job
            if news is None:
                return
            if news != job:
                job = news
                yield job

    async def wait(self, id: str, seconds: float) -> Job:
        """The job when it has ended, or as it is after so many seconds.

        :raises JobNotFoundError: if there is none.
        """
        job = await self.get(id)

        async def follow() -> None:
            nonlocal job
            async for news in self.follow(id):
                job = news

        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(follow(), seconds)
        return job

    async def _dispatch(self) -> None:
        while True:
            await self._places.acquire()
            try:
                job = await self._next()
            except Exception:  # such as a row that somebody damaged: the others must go on
                logger.exception("the next job could not be read")
                self._places.release()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if job is None:
                return
            self._begin(self._run(job)).add_done_callback(lambda _: self._places.release())

    async def _next(self) -> Job | None:
        """The next job, as soon as there is one; None if the server is stopped."""
        while not self._stopping:
            self._added.clear()
            job = await self._surely(self._jobs.claim_next)
            if job is not None and self._stopping:
                await self._surely(self._jobs.interrupt, job.id)
            elif job is not None:
                return job
            elif not self._stopping:
                await self._added.wait()
        return None

    async def _run(self, job: Job) -> None:
        self._board.tell(job)
        told = partial(self._progress, job), partial(self._part, job)
        doing = self._pool.run(job.kind, job.arguments, job.actor, *told)
        work = self._works[job.id] = asyncio.create_task(doing)
        if self._stopping or job.id in self._unwanted:
            work.cancel()
        try:
            await asyncio.wait([work])
            ended = await self._surely(self._settle(job, work))
        finally:
            del self._works[job.id]
            self._unwanted.discard(job.id)
        if ended is not None:
            self._board.tell(ended)

    def _settle(self, job: Job, work: asyncio.Task[Any]) -> Callable[[], Job | None]:
        """What is to be remembered of work that is over."""
        if work.cancelled():
            if job.id not in self._unwanted:
                return partial(self._jobs.interrupt, job.id)
            return partial(self._jobs.finish, job.id, "cancelled")
        error = work.exception()
        if error is None:
            return partial(self._jobs.finish, job.id, "succeeded", result=work.result())
        if not isinstance(error, WorkerError):
            logger.error("the job %s failed in the server itself", job.id, exc_info=error)
        document = error.document() if isinstance(error, WorkerError) else error_document(error)
        return partial(self._jobs.finish, job.id, "failed", error=document)

    async def _cancel(self, id: str) -> Job:
        job = await self._store(self._jobs.cancel, id)
        if job.state == "cancelling":
            self._unwanted.add(id)
            if id in self._works:
                self._works[id].cancel()
        self._board.tell(job)
        return job

    def _progress(self, job: Job, report: dict[str, Any]) -> None:
        self._board.tell(evolve(job, progress=report))
        self._thread.submit(self._note, job.id, report)

    async def _part(self, job: Job, part: Any) -> None:
        if self._take is not None:
            await self._surely(self._take, job, part)

    def _note(self, id: str, report: dict[str, Any]) -> None:
        with suppress(StorageError):  # the next report is as good
            self._jobs.progress(id, report)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Go on with something that is finished even if nobody waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _store(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *arguments))

    async def _surely(self, function: Callable[..., T], *arguments: Any) -> T | None:
        """The same, tried again until the disk takes it; None if the server is stopped before that."""
        while True:
            try:
                return await self._store(function, *arguments)
            except StorageError:
                logger.exception("the state of the jobs could not be written")
                if self._stopping:
                    return None
                await asyncio.sleep(_RETRY_SECONDS)
