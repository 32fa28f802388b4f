"""What changes in the registry: one look for all who follow it, however many they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from anyio.to_thread import run_sync
from attrs import frozen

from model_registry import Event, ModelRegistry, ModelRegistryError

logger = logging.getLogger("model_registry.server")

#: Seconds between two looks: what other processes change in the registry, nobody tells.
_INTERVAL = 0.5
#: Seconds to wait after a look that failed.
_PAUSE = 5.0
#: Changes that are in memory at once, for each follower that is behind; one may hold 200,000 characters.
_PAGE = 100


@frozen
class News:
    """The newest changes: those with numbers above ``since``, up to ``until``.

    :param era: Another one whenever the catalog was put back to an earlier time, and gives numbers again.
    """

    since: int
    until: int
    events: Sequence[Event] = ()
    era: int = 0


class Changes:
    """The history, as it goes on. It is looked at from the first follower's coming to the last one's going.

    Used by one event loop.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._followers = 0
        self._watch: asyncio.Task[None] | None = None
        self._news: News | None = None
        self._told = asyncio.Event()

    async def follow(self, last: int) -> AsyncGenerator[Sequence[Event], None]:
        """The changes after one, a page at a time, the oldest first; those to come, as soon as they are seen.

        Close it, as with ``contextlib.aclosing``: it never ends by itself.
        """
        self._begin()
        try:
            news = await self._later(None)
            era = news.era
            while True:
                if news.era != era:
                    era, last = news.era, min(last, news.until)
                if last >= news.until:
                    news = await self._later(news)
                    continue
                until = min(last + _PAGE, news.until)
                page = news.events if last == news.since else await run_sync(self._page, last, until)
                last = until
                if page:
                    yield page
                news = await self._later(None)
        finally:
            self._end()

    def _begin(self) -> None:
        self._followers += 1
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_on())

    def _end(self) -> None:
        self._followers -= 1
        if not self._followers and self._watch is not None:
            self._watch.cancel()
            self._watch = self._news = None

    async def _later(self, known: News | None) -> News:
        """The newest news that are not those known."""
        while self._news is None or self._news is known:
            await self._told.wait()
        return self._news

    async def _look_on(self) -> None:
        while True:
            try:
                await self._look()
            except ModelRegistryError as error:  # it may be back soon; whoever follows need not begin anew
                logger.warning("the history could not be read; trying again in %g s: %s", _PAUSE, error)
                await asyncio.sleep(_PAUSE)
            else:
                await asyncio.sleep(_INTERVAL)

    async def _look(self) -> None:
        newest = await run_sync(self._newest)
        news = self._news
        if news is None or newest < news.until:
            news = self._tell(News(newest, newest, era=0 if news is None else news.era + 1))
        while newest > news.until:
            until = min(news.until + _PAGE, newest)
            news = self._tell(News(news.until, until, await run_sync(self._page, news.until, until), news.era))

    def _tell(self, news: News) -> News:
        self._news = news
        told, self._told = self._told, asyncio.Event()
        told.set()
        return news

    def _newest(self) -> int:
        newest = self._registry.history(limit=1)
        return newest[0].id if newest else 0

    def _page(self, since: int, until: int) -> list[Event]:
        page = self._registry.history(before=until + 1, limit=until - since)
        return [event for event in reversed(page) if event.id > since]
