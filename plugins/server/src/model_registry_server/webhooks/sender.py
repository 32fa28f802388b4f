"""Sends what is due, as long as the server runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from model_registry import ModelRegistry
from model_registry_server.options import ServerOptions
from model_registry_server.security import moments
from model_registry_server.state import State
from model_registry_server.webhooks.collecting import Collector
from model_registry_server.webhooks.deliveries import Deliveries
from model_registry_server.webhooks.retrying import DELAYS, delay_after
from model_registry_server.webhooks.webhook import Parcel

if TYPE_CHECKING:
    from model_registry_server.webhooks.posting import Poster

logger = logging.getLogger("model_registry.server")

T = TypeVar("T")

#: Deliveries under way at once; and of one webhook, so that a slow receiver does not hold up all others.
MOST_AT_ONCE = 8
_MOST_OF_ONE = 2
#: Seconds between two looks: what other processes change in the registry, nobody tells.
_INTERVAL = 0.5
#: Seconds of a try, and of those under way when the server stops.
_TIMEOUT = 10.0
_GRACE = 3.0
#: Seconds to wait after an error of the server itself.
_PAUSE = 5.0
#: Days for which deliveries are told of, and seconds between two looks for older ones.
_DELIVERY_DAYS = 30
_FORGET_INTERVAL = 3600.0


class Sender:
    """Sends deliveries. One for a server; it is started and stopped once.

    Deliveries are independent: one that fails does not hold up those after it, so they may arrive in another order.
    The event's id tells which came first. Each arrives at least once, and has the same id if it comes again.

    :param deliveries: What is to be sent. It is used in a thread of its own, so a slow disk holds up no request.
    :param delays: Seconds from each try to the next.
    :param interval: Seconds between two looks at the history.
    :param timeout: Seconds of a try.
    :param grace: Seconds for tries under way when the server stops. What is cut off is sent again by the next one.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        state: State,
        deliveries: Deliveries,
        options: ServerOptions,
        *,
        delays: Sequence[float] = DELAYS,
        interval: float = _INTERVAL,
        timeout: float = _TIMEOUT,
        grace: float = _GRACE,
    ) -> None:
        self._state = state
        self._deliveries = deliveries
        self._collector = Collector(registry, state, deliveries)
        self._options = options
        self._delays = tuple(delays)
        self._interval, self._timeout, self._grace = interval, timeout, grace
        self._thread = ThreadPoolExecutor(1, "webhooks")
        self._poster: Poster | None = None
        self._under_way: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._served: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._forgot = -_FORGET_INTERVAL

    async def start(self) -> None:
        """Go on with what an earlier server left."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let tries under way end, if they do soon, and leave the rest to the next server."""
        self._stopping.set()
        self._woken.set()
        await self._loop
        if tasks := [task for _, task in self._under_way.values()]:
            _, late = await asyncio.wait(tasks, timeout=self._grace)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
        if self._poster is not None:
            await self._poster.close()
        await self._store(self._release)
        self._thread.shutdown()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = await self._store(self._look)
                await self._begin()
            except Exception:
                logger.exception("webhooks could not be served; trying again in %g s", _PAUSE)
                await _wait(self._stopping, _PAUSE)
            else:
                await _wait(self._woken, 0 if more else self._interval)

    def _look(self) -> bool:
        """Find what is new; whether there is more."""
        if time.monotonic() - self._forgot >= _FORGET_INTERVAL:
            self._deliveries.forget(moments.now() - timedelta(days=_DELIVERY_DAYS))
            self._forgot = time.monotonic()
        return self._collector.collect()

    async def _begin(self) -> None:
        """Begin as many tries as may be under way."""
        free = MOST_AT_ONCE - len(self._under_way)
        if free <= 0 or self._stopping.is_set():
            return
        busy: dict[str, list[str]] = {}
        for id, (webhook, _) in self._under_way.items():
            busy.setdefault(webhook, []).append(id)
        for parcel in (await self._store(self._due, busy))[:free]:
            if self._poster is None:  # most servers have no webhooks: they need neither httpx nor certificates
                from model_registry_server.webhooks.posting import Poster

                self._poster = Poster(self._options)
            self._served[parcel.webhook] = max(self._served.values(), default=0) + 1
            work = self._deliver(parcel, self._poster)
            self._under_way[parcel.id] = parcel.webhook, asyncio.create_task(work)

    def _due(self, busy: dict[str, list[str]]) -> list[Parcel]:
        """What is due: first one of each webhook, whoever waited longest first, then a second of each."""
        now = moments.now()
        found = []
        for webhook in sorted(self._deliveries.waiting(now), key=lambda id: self._served.get(id, 0)):
            ids = busy.get(webhook, [])
            if len(ids) < _MOST_OF_ONE:
                found.append(self._deliveries.due(webhook, now, _MOST_OF_ONE - len(ids), but=ids))
        return [parcel for row in zip_longest(*found) for parcel in row if parcel is not None]

    async def _deliver(self, parcel: Parcel, poster: Poster) -> None:
        try:
            outcome = await poster.post(parcel, self._timeout)
            delay = delay_after(parcel.attempts + 1, outcome.retry_after, self._delays)
            await self._surely(partial(self._deliveries.settle, parcel, outcome, delay))
        finally:
            del self._under_way[parcel.id]
            self._woken.set()

    def _release(self) -> None:
        """Close the connection of the thread, which is about to end."""
        with self._state.reading() as db:
            db.close()

    async def _store(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *arguments))

    async def _surely(self, function: Callable[[], object]) -> None:
        """Write something, however often it takes: what was sent and is not noted would be sent again at once."""
        while True:
            try:
                await self._store(function)
                return
            except Exception:
                logger.exception("what became of a delivery could not be noted; trying again in %g s", _PAUSE)
                await _wait(self._stopping, _PAUSE)
                if self._stopping.is_set():
                    return


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
