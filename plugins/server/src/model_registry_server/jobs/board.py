"""Who waits for news of jobs. Nothing is kept of a job that nobody follows."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from model_registry_server.jobs.job import Job


class Watched:
    """A job that somebody follows. It lives as long as its followers hold it."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.changed = asyncio.Event()

    def tell(self, job: Job | None) -> None:
        """Wake everybody who waits for the next change."""
        if self.job is None or not self.job.ended:
            self.job = job
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Board:
    """The jobs that are followed now."""

    def __init__(self) -> None:
        self._watched: WeakValueDictionary[str, Watched] = WeakValueDictionary()
        self.is_closed = False

    def watch(self, id: str) -> Watched:
        """News of a job, shared by all its followers."""
        return self._watched.setdefault(id, Watched())

    def tell(self, job: Job) -> None:
        """A job has changed."""
        watched = self._watched.get(job.id)
        if watched is not None:
            watched.tell(job)

    def close(self) -> None:
        """There will be no more news."""
        self.is_closed = True
        for watched in list(self._watched.values()):
            watched.tell(None)

    def __len__(self) -> int:
        return len(self._watched)
