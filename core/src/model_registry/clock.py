"""Time as the catalog keeps it: whole microseconds since 1970, in UTC."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = 86_400_000_000


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def moment(microseconds: int) -> datetime:
    """The same as an aware ``datetime`` in UTC, exactly."""
    return EPOCH + timedelta(microseconds=microseconds)
