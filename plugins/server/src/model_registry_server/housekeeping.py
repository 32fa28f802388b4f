"""What a server does now and then: it clears away uploads that nobody continues, and old jobs, and sums up in the audit
log how much was refused."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from model_registry_server.server import Server

logger = logging.getLogger("model_registry.server")

_INTERVAL = 3600.0
#: Days for which a job that has ended is told of.
_JOB_DAYS = 30


async def keep_house(server: Server) -> None:
    """Clear up at once, and then every hour, until it is cancelled."""
    while True:
        try:
            await run_sync(clear_up, server)
        except Exception:  # whatever it was, the next time may be better
            logger.exception("the server could not clear up; it tries again in an hour")
        await asyncio.sleep(_INTERVAL)


def clear_up(server: Server) -> None:
    """Clear up once."""
    server.attempts.settle()
    server.uploads.expire(server.options.upload_hours)
    server.outcomes.forget(server.options.upload_hours)
    server.stored_jobs.forget(datetime.now(timezone.utc) - timedelta(days=_JOB_DAYS))
