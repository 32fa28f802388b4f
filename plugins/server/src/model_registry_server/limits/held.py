"""Bytes of bodies that are read whole: so many of one caller may be in memory at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_registry_server.errors import TooManyRequestsError

Take = Callable[[int], None]


class Held:
    """What has come of bodies under way, by caller. Used by one event loop.

    :param most: Bytes of one caller.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    @contextmanager
    def body(self, caller: str) -> Iterator[Take]:
        """While a body of a caller is in memory. What is given is told how many bytes come, before they are kept.

        :raises TooManyRequestsError: from that, if these would be too many.
        """
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if self._held[caller] + count > self._most:
                message = f"you send more than {self._most >> 20} MiB in bodies that are read whole"
                raise TooManyRequestsError(message, hint="send fewer at once", retry_after=2)
            self._held[caller] += count
            held += count

        try:
            yield take
        finally:
            self._held[caller] -= held
            if not self._held[caller]:
                del self._held[caller]
