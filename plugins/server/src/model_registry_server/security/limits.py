"""How many requests a minute: a bucket for each caller, that every request takes from and that time fills."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network

#: Callers that are remembered. Whoever was silent for longest is forgotten first, and most likely had a full bucket.
MOST_KEYS = 20_000


class RateLimits:
    """A bucket of ``per_minute`` requests for each key, filled evenly. Safe to use from several threads.

    In any stretch of ``s`` seconds a key gets at most ``per_minute * (1 + s / 60)`` requests through.

    :param per_minute: Requests a minute; 0 for any number.
    :param clock: Seconds that never go back.
    :param most_keys: How many keys are remembered at once.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float] = time.monotonic, most_keys: int = MOST_KEYS
    ) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> float:
        """Take one request out of a key's bucket.

        :returns: 0.0 if it may be served, else the seconds until one may. A refused request takes nothing.
        """
        if not self._per_second:
            return 0.0
        now = self._clock()
        with self._changing:
            level, since = self._buckets.get(key, (self._capacity, now))
            level = min(self._capacity, level + (now - since) * self._per_second)
            allowed = level >= 1.0
            self._buckets[key] = (level - 1.0 if allowed else level, now)
            self._buckets.move_to_end(key)
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - level) / self._per_second


def address_key(address: str) -> str:
    """The key of a caller without a token. One machine has a whole /64 of IPv6 to call from, so that is one key.

    A socket for both tells an address of IPv4 as ``::ffff:192.0.2.1``: of those, each is one.
    """
    if ":" not in address:
        return address
    try:
        exact = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(exact.ipv4_mapped or IPv6Network((exact, 64), strict=False))
