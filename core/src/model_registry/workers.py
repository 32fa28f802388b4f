"""The threads that hash, copy and sync files: one pool per process, made when first needed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_pools: dict[int, ThreadPoolExecutor] = {}


def pool() -> ThreadPoolExecutor:
    """The pool of this process; a forked child gets its own, since threads do not survive a fork."""
    pid = os.getpid()
    found = _pools.get(pid)
    if found is None:
        # Two more than cores: while some wait for the disk, the others keep the cores busy.
        new = ThreadPoolExecutor((os.cpu_count() or 1) + 2, thread_name_prefix="model_registry")
        found = _pools.setdefault(pid, new)  # of threads that ask at once, one is first
    return found


os.register_at_fork(after_in_child=_pools.clear)


def submit(work: Callable[[], Result]) -> Future[Result]:
    """Let a thread of the pool do it, as a part of the operation that goes on here (:mod:`model_registry.progress`)."""
    return pool().submit(copy_context().run, work)


def run_here(work: Callable[[], Result]) -> Future[Result]:
    """The same for work that is not worth handing to a thread: it is done now, by the caller's."""
    future: Future[Result] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


def alongside(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin it in a thread that is free. What is returned gives its result, and does it if no thread has begun.

    So that work of the pool may wait for other work of the pool.
    """
    future = submit(work)
    return lambda: work() if future.cancel() else future.result()


def run_all(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``work`` on every item, several at once, in order; one item runs in this thread. The first failure is raised."""
    todo = list(items)
    if len(todo) == 1:
        return [work(todo[0])]
    return gather([submit(partial(work, item)) for item in todo])


def share_out(
    work: Callable[[Iterator[Item]], object], items: Iterable[Item], *, threads: int = os.cpu_count() or 1
) -> None:
    """``work`` in several threads, on an iterator that takes the next item which no other thread has.

    By default one thread for each core: for what keeps a core busy and works in its cache, more would only be in each
    other's way. This thread is one of them, and waits for no other to begin: it may hold a lock that they want. The
    first failure is raised, and the other threads then take no more.
    """
    todo = deque(items)

    def take() -> Iterator[Item]:
        with suppress(IndexError):
            while True:
                yield todo.popleft()

    def run() -> None:
        try:
            work(take())
        except BaseException:
            todo.clear()
            raise

    others = [submit(run) for _ in range(min(threads, len(todo)) - 1)]
    try:
        run()
    finally:
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
        other.result()


def gather(futures: list[Future[Result]]) -> list[Result]:
    """The results in order. On the first failure what has not begun is cancelled, and what runs is waited for."""
    _, pending = wait(futures, return_when=FIRST_EXCEPTION)
    for future in pending:
        future.cancel()
    wait(futures)
    failed = [error for future in futures if not future.cancelled() and (error := future.exception())]
    if failed:
        raise failed[0]
    return [future.result() for future in futures]
