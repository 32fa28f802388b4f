"""What every route works with: the parts of one server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from model_registry import ModelRegistry
from model_registry_server.answers import Answers
from model_registry_server.housekeeping import keep_house
from model_registry_server.jobs.job import Job
from model_registry_server.jobs.pool import WorkerPool
from model_registry_server.jobs.runner import Runner
from model_registry_server.jobs.store import Jobs
from model_registry_server.jobs.worker import HOSTS_VARIABLE
from model_registry_server.limits.alone import be_the_only_one
from model_registry_server.limits.at_once import AtOnce
from model_registry_server.limits.held import Held
from model_registry_server.limits.quota import Quota
from model_registry_server.limits.turns import Turns
from model_registry_server.metrics import Metrics
from model_registry_server.options import MEGABYTE, ServerOptions
from model_registry_server.places import export_folder
from model_registry_server.security.attempts import Attempts
from model_registry_server.security.audit import Audit
from model_registry_server.security.limits import RateLimits
from model_registry_server.security.tokens import Tokens
from model_registry_server.security.undertakings import Undertakings
from model_registry_server.state import State
from model_registry_server.transfer.errors import ConflictError
from model_registry_server.transfer.exports import Exports
from model_registry_server.transfer.outcomes import Outcomes
from model_registry_server.transfer.uploads import Uploads
from model_registry_server.watching.changes import Changes
from model_registry_server.watching.readiness import Readiness
from model_registry_server.watching.verified import Verified
from model_registry_server.webhooks.deliveries import Deliveries
from model_registry_server.webhooks.sender import Sender
from model_registry_server.webhooks.store import Webhooks

#: How many uploads are registered at once, and how many looks into models are taken, beside jobs.
_QUICK = 2
#: How many downloads are looked up at once; the first of each version reads all of it.
_READING = 8
#: Streams of events, and downloads, that one caller has open at once. A client takes a few files at once, and waits
#: where it may not; a download that is taken slowly costs a megabyte or two, and two descriptors.
_STREAMS, _DOWNLOADS = 100, 64
#: Bytes that one caller may have in memory by bodies that are read whole: eight of the largest.
_MOST_HELD = 64 << 20
TASKS = tuple(f"model_registry_server.jobs.{module}" for module in ("tasks", "quick", "comparing"))


class Server:
    """The parts of one server. Made before it listens; :meth:`start` and :meth:`stop` frame its life.

    :param registry: The registry that is served.
    :param options: The plugin's options.
    :param keywords: With which a worker opens the same registry.
    :param is_open: Whether callers without a token are the administrator: nobody but this machine can reach the server.
        The first token that is made ends that.
    """

    def __init__(
        self, registry: ModelRegistry, options: ServerOptions, keywords: Mapping[str, Any], *, is_open: bool
    ) -> None:
        self.registry = registry
        self.options = options
        self.folder = Path(registry.settings.path).absolute()
        self.state = State(self.folder)
        self._lock = be_the_only_one(self.state.folder / "lock")
        self.is_open = is_open
        self.tokens = Tokens(self.state)
        self.audit = Audit(self.state)
        self.undertakings = Undertakings(self.state, self.audit)
        self.attempts = Attempts(self.audit)
        self.verified = Verified(self.state)
        self.limits = RateLimits(options.rate_limit)
        self.uploads = Uploads(self.state, self.state.folder / "uploads")
        self.outcomes = Outcomes(self.state)
        self.incoming = self.state.folder / "incoming"
        self.quota = Quota(options, registry, self.uploads)
        self.exports = Exports(export_folder(self.folder), registry, int(registry.settings.cache_size * MEGABYTE))
        self.answers = Answers(registry)
        self.changes = Changes(registry)
        self.followers = AtOnce(_STREAMS, "streams open", "close some; one stream of …/events tells of every model", 60)
        self.downloads = AtOnce(_DOWNLOADS, "downloads under way", "go on when some of them have ended", 2)
        self.bodies = Held(_MOST_HELD)
        self.metrics = Metrics(self)
        self.readiness = Readiness(registry, self.state)
        self.stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        # No file that came over the network may run code here, whatever the configuration trusts elsewhere.
        workers = {**keywords, "path": str(self.folder), "trusted_models": []}
        idle, nowhere, hub = (
            options.worker_idle_seconds,
            _hosts((), False),
            _hosts(options.hub_hosts, options.hub_private),
        )
        self.quick = WorkerPool(_QUICK, workers, idle, nowhere, tasks=TASKS)
        self.looking = WorkerPool(_QUICK, workers, idle, nowhere, tasks=TASKS)
        # One caller leaves some of each to all others.
        self.turns = Turns(_QUICK // 2)
        self.registering_turns = Turns(_QUICK // 2)
        #: Threads in which files are verified before they are sent: the others are for what is answered at once.
        self.reading = CapacityLimiter(_READING)
        self.reading_turns = Turns(_READING // 2)
        self._finishing: set[str] = set()
        self._long = WorkerPool(options.workers, workers, idle, hub, tasks=TASKS)
        self.stored_jobs = Jobs(self.state)
        self.jobs = Runner(self.stored_jobs, self._long, self._take_part)
        self.webhooks = Webhooks(self.state, options.webhook_hosts)
        self.deliveries = Deliveries(self.state)
        self._sender = Sender(registry, self.state, self.deliveries, options)

    @asynccontextmanager
    async def finishing(self, upload: str) -> AsyncIterator[None]:
        """While an upload becomes a version, nobody else makes one of it.

        :raises ConflictError: if somebody does already.
        """
        if upload in self._finishing:
            hint = "wait until that has ended"
            raise ConflictError(f"upload {upload} is being registered already", hint=hint, path=upload)
        self._finishing.add(upload)
        try:
            yield
        finally:
            self._finishing.discard(upload)

    def _take_part(self, job: Job, part: Any) -> None:
        """Note what a validation found of some versions: each of them tells it."""
        if job.kind == "validate" and job.started_at is not None:
            self.verified.note_all(part["read"], since=job.started_at)

    def end_soon(self) -> None:
        """Let whoever follows something, or waits for a job, go. For signal handlers, and for any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self.stopping.set()
        self.jobs.hush()

    async def start(self) -> None:
        """Go on with what an earlier server left."""
        self._loop = asyncio.get_running_loop()
        shutil.rmtree(self.incoming, ignore_errors=True)  # what came with requests that a crash ended
        self.incoming.mkdir(mode=0o700)
        self.undertakings.interrupt_all()
        await self.jobs.start()
        await self._sender.start()
        self._housekeeping = asyncio.create_task(keep_house(self))

    async def stop(self) -> None:
        """Leave what is under way to the next one. Each part is stopped, whatever becomes of the others."""
        self._let_go()
        async with AsyncExitStack() as parts:  # from the last to the first
            parts.callback(os.close, self._lock)
            parts.callback(self.tokens.close)
            parts.push_async_callback(run_sync, self.attempts.settle)
            parts.push_async_callback(self._long.close)
            parts.push_async_callback(self.looking.close)
            parts.push_async_callback(self.quick.close)
            parts.push_async_callback(self.jobs.stop)
            parts.push_async_callback(self._sender.stop)
            self._housekeeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._housekeeping


def _hosts(allowed: Sequence[str], private: bool) -> dict[str, str]:
    """What tells a worker which hosts it may call."""
    return {HOSTS_VARIABLE: json.dumps({"allowed": list(allowed), "private": private})}
