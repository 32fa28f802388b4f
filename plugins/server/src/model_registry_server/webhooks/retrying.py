"""When a delivery is tried again."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

from model_registry_server.security import moments

#: Seconds from each try to the next: eight tries within about a day, so that nobody must get up at night.
DELAYS = (1.0, 5.0, 30.0, 300.0, 1800.0, 4 * 3600.0, 18 * 3600.0)
#: Of a delay, so that those who failed together do not come back together.
_JITTER = 0.25
#: Seconds that a receiver may ask for.
LONGEST_WAIT = 6 * 3600.0


def delay_after(attempts: int, retry_after: float | None, delays: Sequence[float] = DELAYS) -> float | None:
    """Seconds from a failed try to the next; None if that was the last.

    :param attempts: How many tries there were.
    :param retry_after: What the receiver asks for. It can lengthen a wait, never shorten it.
    """
    if attempts > len(delays):
        return None
    usual = delays[attempts - 1] * (1 + _JITTER * random.random())  # noqa: S311 - nothing is to be kept secret
    return max(usual, min(retry_after or 0.0, LONGEST_WAIT))


def seconds_of(retry_after: str | None) -> float | None:
    """What a header ``Retry-After`` says: a number of seconds, or a date (RFC 9110); None if nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return _until(date) if date.tzinfo is not None else None


def _until(date: datetime) -> float:
    return max(0.0, math.ceil((date - moments.now()).total_seconds()))
