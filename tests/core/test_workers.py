"""The threads that share work: each item is taken once, and a failure ends it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from model_registry import workers


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_each_item_is_taken_by_one_thread(count: int) -> None:
    taken: list[int] = []
    workers.share_out(lambda items: taken.extend(items), range(count))
    assert sorted(taken) == list(range(count))


def test_there_is_a_thread_for_each_core() -> None:
    cores = os.cpu_count() or 1
    together = threading.Barrier(cores, timeout=10)

    def wait(items: Iterator[int]) -> None:
        for _ in items:
            together.wait()  # breaks unless all are here at once

    workers.share_out(wait, range(cores))


def test_after_a_failure_nothing_more_is_taken() -> None:
    taken = []

    def fail(items: Iterator[int]) -> None:
        for item in items:
            taken.append(item)
            raise ValueError(item)

    with pytest.raises(ValueError, match=r"\d+"):
        workers.share_out(fail, range(1000))
    assert len(taken) <= (os.cpu_count() or 1)


def test_all_threads_may_wait_for_work_alongside() -> None:
    """More of it than there are threads: what none of them has begun is done by who waits for it."""

    def outer(number: int) -> int:
        inner = workers.alongside(lambda: number * number)
        return inner()

    assert workers.run_all(outer, range(100)) == [number * number for number in range(100)]


def test_a_failure_alongside_is_raised_where_its_result_is_asked_for() -> None:
    result = workers.alongside(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        result()


def test_what_fails_here_fails_where_its_result_is_asked_for() -> None:
    future = workers.run_here(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        workers.gather([future])
    assert workers.gather([workers.run_here(lambda: 1)]) == [1]


def test_sharing_out_waits_for_no_thread_that_has_not_begun() -> None:
    """As when a transaction shares out work, and every thread of the pool waits for the transaction to end."""
    lock, begun = threading.Lock(), threading.Semaphore(0)

    def wait_for_the_lock() -> None:
        begun.release()
        with lock:
            pass

    done: list[int] = []
    with lock:
        waiting = [workers.submit(wait_for_the_lock) for _ in range((os.cpu_count() or 1) + 2)]
        for _ in waiting:
            assert begun.acquire(timeout=10)
        workers.share_out(lambda mine: done.extend(mine), range(10), threads=4)
    workers.gather(waiting)
    assert sorted(done) == list(range(10))
