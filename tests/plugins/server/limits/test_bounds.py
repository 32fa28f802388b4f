"""A bound holds for whatever comes at once, and looks at the disk no more than it must."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from model_registry_server.limits.bounds import Body, Bound
from model_registry_server.transfer.errors import TooLargeError


class Disk:
    """What is there, and how often somebody looked.

    :param seconds: What a look takes.
    """

    def __init__(self, there: int = 0, seconds: float = 0.0) -> None:
        self.there = there
        self.looks = 0
        self.held, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self._seconds = seconds

    def __call__(self) -> int:
        self.looks += 1
        time.sleep(self._seconds)
        there = self.there
        self.held.set()
        assert self.go_on.wait(20)
        return there

    def hold(self) -> None:
        """The next looks see what is there, and tell when they may go on."""
        self.held.clear()
        self.go_on.clear()


async def when_there_is_room(bound: Bound, count: int) -> None:
    """Wait until so many bytes may come."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(TooLargeError):
            return await bound.require(count)
        await asyncio.sleep(0.01)
    raise AssertionError(f"there is never room for {count} bytes")


def test_bytes_are_taken_one_by_one_until_there_is_no_more_room() -> None:
    async def taken() -> None:
        bound = Bound(10, "quota_mb", Disk(4))
        with Body([bound], stays=True) as body:
            await body.take(5)
            await body.take(1)
            with pytest.raises(TooLargeError, match="1 bytes more are too much: 0 may come — quota_mb") as caught:
                await body.take(1)
            assert caught.value.limit == 0

    asyncio.run(taken())


def test_what_bodies_brought_counts_until_the_next_look_tells_what_became_of_it() -> None:
    async def taken() -> None:
        disk = Disk(seconds=0.3)
        bound = Bound(10, "quota_mb", disk)
        with Body([bound], stays=True) as body:
            await body.take(8)
        disk.there = 8
        with Body([bound], stays=True) as body:
            await body.take(2)
            assert disk.looks == 1
            with pytest.raises(TooLargeError):
                await body.take(1)
            disk.there = 0  # thrown away
            await when_there_is_room(bound, 8)
            await body.take(8)

    asyncio.run(taken())


def test_a_body_that_ends_while_somebody_looks_is_not_forgotten() -> None:
    async def taken() -> None:
        disk = Disk()
        bound = Bound(10, "quota_mb", disk)
        with Body([bound], stays=True) as body:
            await body.take(8)
            disk.hold()
            asking = asyncio.create_task(bound.require(3))
            await asyncio.to_thread(disk.held.wait, 20)
        disk.there = 8  # but the look has seen it as it was before
        disk.go_on.set()
        with pytest.raises(TooLargeError, match="2 may come"):
            await asking

    asyncio.run(taken())


def test_a_body_that_ends_while_somebody_looks_is_not_counted_twice() -> None:
    async def taken() -> None:
        disk = Disk(2)
        bound = Bound(10, "quota_mb", disk)
        with Body([bound], stays=True) as other:
            with Body([bound], stays=True) as body:
                await body.take(4)
                await other.take(1)
                disk.there = 4  # what was there is thrown away, and what came is there
                disk.hold()
                taking = asyncio.create_task(other.take(5))
                await asyncio.to_thread(disk.held.wait, 20)
            disk.go_on.set()
            await taking
            with pytest.raises(TooLargeError, match="0 may come"):
                await other.take(1)

    asyncio.run(taken())


def test_what_is_sure_is_not_looked_at() -> None:
    async def taken() -> None:
        disk = Disk(seconds=0.3)
        bound = Bound(10, "quota_mb", disk)
        await bound.require(1)
        disk.hold()  # nobody gets an answer any more
        with Body([bound], stays=True) as body:
            await body.require(10)
            await body.take(10)
        assert disk.looks == 1

    asyncio.run(asyncio.wait_for(taken(), 20))


def test_a_look_that_takes_long_counts_for_long() -> None:
    async def taken() -> None:
        disk = Disk(seconds=0.5)
        bound = Bound(10, "quota_mb", disk)
        with Body([bound], stays=True) as body:
            await body.take(1)
            begun = time.monotonic()
            while time.monotonic() - begun < 2:  # longer than a look that is fast counts
                await body.take(0)
                await asyncio.sleep(0.1)
        assert disk.looks == 1

    asyncio.run(taken())


def test_however_long_a_look_took_it_counts_for_a_time_at_most() -> None:
    async def noticed() -> float:
        disk = Disk(seconds=0.5)
        bound = Bound(10, "quota_mb", disk, longest=0.1)
        await bound.require(10)
        begun = time.monotonic()
        disk.there = 10  # others than bodies wrote
        with suppress(TooLargeError):
            while time.monotonic() < begun + 20:
                await bound.require(1)
                await asyncio.sleep(0.01)
        return time.monotonic() - begun

    assert asyncio.run(noticed()) < 5  # not the 10 s of twenty times a look


def test_where_there_was_room_nobody_waits_for_the_next_look() -> None:
    async def taken() -> None:
        disk = Disk()
        bound = Bound(10, "quota_mb", disk, longest=0.0)
        await bound.require(1)
        disk.there = 10  # others than bodies wrote
        disk.hold()
        for _ in range(3):
            await asyncio.wait_for(bound.take(1), 10)
        assert await asyncio.to_thread(disk.held.wait, 10)
        assert disk.looks == 2  # one that all of them share, and that is not over
        disk.go_on.set()
        with suppress(TooLargeError):
            while True:
                await bound.require(1)
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(taken(), 30))  # which ends by the refusal alone


def test_what_is_too_much_whatever_is_there_is_refused_without_a_look() -> None:
    async def taken() -> None:
        disk = Disk()
        bound = Bound(10, "quota_mb", disk)
        for refused in (bound.require(11), bound.take(10**15), asyncio.to_thread(bound.require_in_thread, 11)):
            with pytest.raises(TooLargeError, match="no more than 10 may come — quota_mb") as caught:
                await refused
            assert caught.value.limit == 10
        assert disk.looks == 0

    asyncio.run(taken())


def test_a_look_that_found_no_room_counts_for_others_and_room_is_noticed_later() -> None:
    async def taken() -> None:
        disk = Disk(there=9, seconds=0.5)
        bound = Bound(10, "quota_mb", disk)
        await bound.require(1)
        for number in range(20):
            with pytest.raises(TooLargeError, match="1 may come"):
                await (bound.require(2) if number % 2 else asyncio.to_thread(bound.require_in_thread, 2))
        assert disk.looks == 2  # one for what may come, and one more before the first is refused
        await bound.require(1)
        disk.there = 0
        await when_there_is_room(bound, 10)
        assert disk.looks == 3

    asyncio.run(taken())


def test_who_announces_does_not_wait_until_somebody_else_has_looked() -> None:
    async def announced() -> None:
        disk = Disk(there=8)
        bound = Bound(10, "quota_mb", disk)
        disk.hold()
        looking = asyncio.create_task(bound.require(2))
        await asyncio.to_thread(disk.held.wait, 20)
        await asyncio.to_thread(bound.require_in_thread, 3)  # it is refused when it comes
        with pytest.raises(TooLargeError):
            await asyncio.to_thread(bound.require_in_thread, 11)
        assert not looking.done()
        disk.go_on.set()
        await looking
        with pytest.raises(TooLargeError, match="2 may come"):
            await asyncio.to_thread(bound.require_in_thread, 3)

    asyncio.run(asyncio.wait_for(announced(), 60))


def test_bodies_beside_each_other_take_all_the_room_and_no_more() -> None:
    disk = Disk(there=200)

    async def all_it_gets(body: Body) -> int:
        for count in range(100):
            try:
                await body.take(1)
            except TooLargeError:
                return count
            await asyncio.sleep(0)  # it is another one's turn
        return 100

    async def together() -> int:
        bound = Bound(1000, "quota_mb", disk)
        with ExitStack() as stack:
            bodies = [stack.enter_context(Body([bound], stays=True)) for _ in range(50)]
            return sum(await asyncio.gather(*map(all_it_gets, bodies)))

    assert asyncio.run(together()) == 800
    assert disk.looks < 25  # fewer than were refused, who share them


def test_of_bodies_that_are_too_much_together_one_gets_through() -> None:
    async def gets_through(body: Body) -> bool:
        try:
            for _ in range(5):
                await body.take(1)
                await asyncio.sleep(0)
        except TooLargeError:
            await asyncio.sleep(0.05)  # it is busy with what it leaves behind
            return False
        return True

    async def together() -> list[bool]:
        bound = Bound(10, "quota_mb", Disk())
        with ExitStack() as stack:
            bodies = [stack.enter_context(Body([bound], stays=False)) for _ in range(6)]
            for body in bodies:
                await body.take(1)
            return await asyncio.gather(*map(gets_through, bodies))

    assert any(asyncio.run(together()))


def test_a_bound_of_nothing_else_never_looks() -> None:
    async def taken() -> None:
        with Body([Bound(10, "max_upload_mb")], stays=False) as body:
            await body.require(10)
            await body.take(10)
            with pytest.raises(TooLargeError, match="max_upload_mb"):
                await body.require(11)

    asyncio.run(taken())
